"""The logger of every module. structlog is loaded and set up for the first line: most verbs write none."""

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TextIO, cast

from controller.log_sink import LogSink


class _Logger:
    """structlog's logger, as it is set up at the moment of each line."""

    def __getattr__(self, method: str) -> Any:
        import structlog  # noqa: PLC0415 - with rich, which it brings, a sixth of the time that a verb takes

        _first_line.set_up()
        return getattr(structlog.get_logger(), method)


class _FirstLine(logging.Handler):
    """Sets logs up for the first line: of ours, or of a library through `logging`."""

    def __init__(self) -> None:
        super().__init__()
        self._set_up: Callable[[], None] | None = None

    def prepare(self, set_up: Callable[[], None]) -> None:
        self._set_up = set_up
        root = logging.getLogger()
        root.handlers[:] = [self]
        root.setLevel(logging.WARNING)

    def set_up(self) -> None:
        if (set_up := self._set_up) is not None:
            set_up()
            self._set_up = None

    def emit(self, record: logging.LogRecord) -> None:
        self.set_up()
        root = logging.getLogger()
        if root.isEnabledFor(record.levelno):
            root.handle(record)


_first_line: Final = _FirstLine()
_logger: Final = _Logger()


def get_logger() -> Any:
    """A logger with structlog's methods."""
    return _logger


def configure(
    form: str, level: str, *, stream: TextIO | LogSink | None = None, no_color: bool = False
) -> None:
    """Set logs up for this process: `form` is console, json, or '' (console on a terminal, else json)."""
    out = cast(TextIO, stream or sys.stderr)
    _first_line.prepare(partial(_load, form, level, out, no_color=no_color))


def _load(form: str, level: str, out: TextIO, *, no_color: bool) -> None:
    from controller.log_format import write_lines  # noqa: PLC0415 - it loads structlog

    write_lines(form, level, out, no_color=no_color)
