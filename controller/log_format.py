"""How structlog writes our lines: one for each thing done. Tracebacks are plain and never print locals."""

import logging
import re
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN: Final = "[hidden]"
_SECRET_KEY: Final = re.compile(
    r"secret|token|password|authorization|credential|cookie|(^|_)uri$", re.IGNORECASE
)
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*")
_USER_PART: Final = re.compile(r"(?<=://)[^/\s@]+@")
_HARMLESS: Final = (bool, int, float, type(None))
_TIME: Final = "%Y-%m-%d %H:%M:%S"


def write_lines(form: str, level: str, out: TextIO, *, no_color: bool) -> None:
    """Have every line written to `out`: `form` is console, json, or '' (console on a terminal, else json)."""
    console = form == "console" or (not form and out.isatty())
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt=_TIME if console else "iso", utc=not console),
        structlog.processors.format_exc_info,
        redact_secrets,
    ]
    json = structlog.processors.JSONRenderer(ensure_ascii=False)
    render = _console(colors=out.isatty() and not no_color) if console else json
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    _route_foreign(out, threshold, shared, render)


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Removes values of secret names, tokens and the user part of URLs, if any reach a log."""
    return {key: _hidden(key, value) for key, value in event.items()}


def _hidden(key: str, value: Any) -> Any:
    if isinstance(value, _HARMLESS):
        return value
    if _SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, MutableMapping):
        return {inner: _hidden(str(inner), kept) for inner, kept in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_hidden("", kept) for kept in value]
    return _USER_PART.sub("", _JWT.sub(HIDDEN, str(value)))


def _console(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        exception_formatter=structlog.dev.plain_traceback,
        pad_event_to=0,
        pad_level=True,
        sort_keys=False,  # in the order of the call: room first, error last
    )


def _route_foreign(out: TextIO, threshold: int, shared: list[Processor], render: Processor) -> None:
    """Turn what libraries log through `logging` into our lines, from warnings up."""
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
