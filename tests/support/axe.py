"""axe-core, which checks a page by the rules of WCAG; npm installs it by its lock file into the cache."""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from tests.support.cache import cache_dir, locked
from tests.support.livekit_client import npm_ci

_FOLDER: Final = Path(__file__).parent / "axe"
_RUN: Final = """(but) => axe.run(document, {
  resultTypes: ["violations"], rules: Object.fromEntries(but.map((rule) => [rule, { enabled: false }])),
})"""


def axe_core() -> Path:
    """The script, installed unless the cache has it by this lock file. RuntimeError says what is missing."""
    lock = (_FOLDER / "package-lock.json").read_bytes()
    folder = cache_dir() / "axe" / hashlib.sha256(lock).hexdigest()[:16]
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    with locked(cache_dir() / ".npm.lock"):
        if not script.is_file():
            shutil.copytree(_FOLDER, folder, dirs_exist_ok=True)
            npm_ci(folder, "axe-core")
    return script


async def violations(page: Page, *, but: Sequence[str] = ()) -> list[str]:
    """What the page breaks as it stands, the rules of `but` left aside: the rule, and the elements."""
    await page.evaluate(axe_core().read_text(encoding="utf-8"))
    result: dict[str, Any] = await page.evaluate(_RUN, list(but))
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:200] for node in each['nodes']]}"
        for each in result["violations"]
    ]
