"""roomctl schema: the JSON Schema of a manifest, for editors."""

import json

from controller.cli.console import Exit, print_data
from controller.manifests.schema import manifest_schema


def schema() -> int:
    """Print the JSON Schema for manifests."""
    print_data(json.dumps(manifest_schema(), indent=2, ensure_ascii=False))
    return Exit.FINE
