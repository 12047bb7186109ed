"""roomctl schema: the JSON Schema of a manifest, or of a policy file, for editors."""

import json
from typing import Annotated

import typer

from controller.cli.console import Exit, print_data
from controller.cli.flags import with_settings
from controller.manifests.load import load_policies
from controller.manifests.schema import manifest_schema, policy_schema
from controller.settings import SettingGroup, Settings


@with_settings(SettingGroup.ROOMS)
def schema(
    settings: Settings,
    *,
    policy: Annotated[bool, typer.Option("--policy", help="Print the schema of policy files.")] = False,
) -> int:
    """Print the JSON Schema for manifests.

    Suggests the presets of the policy files in the rooms directory, if there are any.
    """
    policies = load_policies(settings.rooms_dir)
    if policy:
        document = policy_schema(policies.presets)
    else:
        document = manifest_schema(policies.presets, policies.defaults)
    print_data(json.dumps(document, indent=2, ensure_ascii=False))
    return Exit.FINE
