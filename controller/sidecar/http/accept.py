"""The Accept header: whether a client wants a page."""

from collections.abc import Sequence

from aiohttp import hdrs, web


def wants_page(request: web.BaseRequest) -> bool:
    """Whether a browser asks, for somebody who reads the answer."""
    return prefers_html(request.headers.getall(hdrs.ACCEPT, ()))


def prefers_html(accept: Sequence[str]) -> bool:
    """Whether these Accept headers put text/html before application/json, as a browser's do."""
    wanted = dict(_range(part) for line in accept for part in line.split(","))
    return _quality(wanted, "text", "html") > _quality(wanted, "application", "json")


def _quality(wanted: dict[str, float], kind: str, form: str) -> float:
    """The most exact range counts."""
    ranges = (f"{kind}/{form}", f"{kind}/*", "*/*")
    return next((wanted[each] for each in ranges if each in wanted), 0.0)


def _range(part: str) -> tuple[str, float]:
    name, *parameters = (word.strip().lower() for word in part.split(";"))
    weights = (word[2:] for word in parameters if word.startswith("q="))
    return name, _weight(next(weights, "1"))


def _weight(text: str) -> float:
    """0 where it is no weight."""
    digits = text.replace(".", "", 1)
    return min(float(text), 1.0) if digits.isascii() and digits.isdigit() else 0.0
