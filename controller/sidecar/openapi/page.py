"""The page that shows an OpenAPI document: Swagger UI, which npm installs."""

from html import escape
from pathlib import Path
from string import Template
from typing import Final

from controller.sidecar.pages.assets import FOLDER as PAGES
from controller.sidecar.pages.assets import INSTALL, PACKAGES, Assets, page_headers

HEADERS: Final = page_headers(images=("data:",))
"""Swagger UI's style sheet holds its icons as data."""

_FOLDER: Final = Path(__file__).parent
_OWN: Final = {"script": _FOLDER / "page.js", "style": _FOLDER / "page.css", "icon": PAGES / "icon.svg"}


class OpenApiPage:
    """The page, the same for each document but for its title, and its assets."""

    def __init__(self) -> None:
        swagger_ui = PACKAGES["swagger-ui-dist"]
        self.assets = Assets(_OWN.values(), swagger_ui)
        files = _OWN | dict(zip(("swagger_script", "swagger_style"), swagger_ui, strict=True))
        self._urls = {name: self.assets.url(path.name) for name, path in files.items()}
        self._template = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))

    def html(self, title: str) -> str:
        """The whole page."""
        return self._template.substitute(self._urls, title=escape(title), install=INSTALL)
