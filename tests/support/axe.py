"""axe-core, which checks a page by the rules of WCAG; npm installs it by its lock file into the cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from tests.support.livekit_client import npm_installed

_FOLDER: Final = Path(__file__).parent / "axe"
_RUN: Final = """(but) => axe.run(document, {
  resultTypes: ["violations"], rules: Object.fromEntries(but.map((rule) => [rule, { enabled: false }])),
})"""


def axe_core() -> Path:
    """The script, installed unless the cache has it by this lock file. RuntimeError says what is missing."""
    return npm_installed(_FOLDER, "axe-core", "axe.min.js")


async def violations(page: Page, *, but: Sequence[str] = ()) -> list[str]:
    """What the page breaks as it stands, the rules of `but` left aside: the rule, and the elements."""
    await page.evaluate(axe_core().read_text(encoding="utf-8"))
    result: dict[str, Any] = await page.evaluate(_RUN, list(but))
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes']]}"
        for each in result["violations"]
    ]
