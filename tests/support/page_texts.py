"""The catalogues of the join page, as its scripts read them."""

import json
from typing import Final

from controller.sidecar.pages.assets import FOLDER

_OPENING: Final = "export default"


def catalogue(language: str) -> dict[str, str]:
    """The texts of a language. A catalogue is a JSON object behind `export default`, with one more comma."""
    source = (FOLDER / f"texts-{language}.js").read_text(encoding="utf-8").rstrip()
    assert source.startswith(_OPENING)
    assert source.endswith(",\n};")
    content = source.removeprefix(_OPENING).removesuffix(",\n};") + "}"
    texts: dict[str, str] = json.loads(content, object_pairs_hook=_unique)
    return texts


def _unique(pairs: list[tuple[str, str]]) -> dict[str, str]:
    assert len(dict(pairs)) == len(pairs), "a key is there twice"
    return dict(pairs)
