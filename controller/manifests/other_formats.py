"""Recognizes files that are not manifests: one text in place of the errors that follow from it. Pure."""

import re
from typing import Final

from controller.manifests.document import Diagnostic, position_after
from controller.text import quote_excerpt

_FORMATS: Final = (
    (
        re.compile(r"^((?:<{7}|\|{7}|={7}|>{7})(?: [^\r\n]*)?)(?=[\r\n]|\Z)", re.MULTILINE),
        "Git merge conflict; resolve it and remove the markers",
    ),
    (
        re.compile(r"^(version https://git-lfs\.github\.com/spec/[^\r\n]*)", re.MULTILINE),
        "Git LFS pointer, not the file itself; run `git lfs pull`, or keep manifests out of LFS",
    ),
    (
        re.compile(r"^[^#\r\n]*?(\{\{[^{}\r\n]*\}\}|\{%[^%\r\n]*%\}|<%[^%\r\n]*%>)", re.MULTILINE),
        "template (Helm, Jinja or similar), not a manifest; render it and add the result instead",
    ),
    (
        re.compile(r'(?:^|[{,])[ \t]*("?apiVersion"?[ \t]*:[^\r\n]*)', re.MULTILINE),
        "Kubernetes object, not a manifest; move the fields of the room to the top level, remove the rest",
    ),
)
"""The pattern of each format, and its text. Each search is linear in the length of the text."""


def other_format(text: str, start: int | None = None) -> Diagnostic | None:
    """The other format of the text, or of its document that begins at `start`, if it has one.

    Only for invalid documents: in a valid manifest a text field can look like anything.
    """
    end = text.find("\n---", start) if start is not None else -1
    for pattern, message in _FORMATS:
        if match := pattern.search(text, start or 0, end if end >= 0 else len(text)):
            return Diagnostic(position_after(text[: match.start(1)]), f"{quote_excerpt(match[1])}: {message}")
    return None
