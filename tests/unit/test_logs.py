"""Logs: one line each, secrets hidden, tracebacks without locals."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from controller.logs import configure, get_logger

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ2aWRlbyI6e319.c2lnbmF0dXJl"
PASSWORD = "p4ssw0rd-of-nobody"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def test_json_is_one_object_a_line() -> None:
    out = io.StringIO()
    configure("", "info", stream=out)
    get_logger().info("room started", key="events/keynote", seconds=0.5)
    get_logger().debug("not said at this level")
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "room started", "level": "info", "key": "events/keynote", "seconds": 0.5}


def test_a_terminal_gets_colours_unless_it_wants_none() -> None:
    colored, plain = Terminal(), Terminal()
    configure("", "info", stream=colored)
    get_logger().info("room started", key="a")
    configure("", "info", stream=plain, no_color=True)
    get_logger().info("room started", key="a")
    assert "\x1b[" in colored.getvalue()
    assert "\x1b[" not in plain.getvalue()
    assert "room started key=a" in plain.getvalue()


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_secret_gets_through(form: str) -> None:
    out = io.StringIO()
    configure(form, "debug", stream=out)
    get_logger().info(
        f"said {TOKEN}",
        api_secret=PASSWORD,
        authorization=PASSWORD,
        participant_token=PASSWORD,
        uri=PASSWORD,
        error=f"cannot reach mongodb://user:{PASSWORD}@db:27017/",
        headers={"x-access-token": PASSWORD, "list": [TOKEN]},
        tokens=3,
    )
    logging.getLogger("pymongo").error("mongodb://user:%s@db said %s", PASSWORD, TOKEN)
    assert PASSWORD not in out.getvalue()
    assert TOKEN not in out.getvalue()
    assert "mongodb://db:27017/" in out.getvalue()


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_locals(form: str) -> None:
    out = io.StringIO()
    configure(form, "info", stream=out)
    held = "held-" + PASSWORD
    try:
        len(held) / 0
    except ZeroDivisionError:
        get_logger().exception("it broke")
    assert "ZeroDivisionError" in out.getvalue()
    assert held not in out.getvalue()


def test_other_libraries_are_heard_from_warnings_up() -> None:
    out = io.StringIO()
    configure("json", "debug", stream=out)
    logging.getLogger("aiohttp.access").info("GET /?token=x")
    logging.getLogger("livekit").warning("slow")
    (line,) = map(json.loads, out.getvalue().splitlines())
    assert (line["event"], line["level"], line["logger"]) == ("slow", "warning", "livekit")
