"""What the architecture promises and the other checks do not see."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import controller
from controller.live.client import ApiReader, ApiWriter

ROOT: Final = Path(controller.__file__).parent

ASSIGNED_FROM_OUTSIDE: Final = {
    # how libraries want it: functions for typer, aiohttp's context of a request, a thread that ends with us
    ("cli/flags.py", "command.__signature__"),
    ("cli/flags.py", "command.__annotations__"),
    ("live/server_clock.py", "context.began"),
    ("daemon.py", "watchdog.daemon"),
    # what an answer or a connection is told while its request is on the way
    ("sidecar/http/protocol.py", "request.protocol.reading_since"),
    ("sidecar/http/router.py", "answer.ends"),
    ("sidecar/http/router.py", "answer.more"),
}


def calls(face: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(face, inspect.isfunction) if not name.startswith("_")}


def test_what_observes_livekit_has_no_way_to_write() -> None:
    egress = {"recordings", "recording", "recordings_of"}
    lists = {"rooms", "is_listed", "participants", "dispatches"} | egress
    assert calls(ApiReader) == lists | {"is_connected"}  # it sends an update that changes nothing
    rooms = {"create_room", "delete_room", "update_metadata", "update_permission", "remove_participant"}
    companions = {"start_recording", "stop_recording", "call_agent", "delete_dispatch"}
    assert calls(ApiWriter) == rooms | companions


def assigned_from_outside(tree: ast.AST, own: str = "self") -> Iterator[str]:
    """The attributes that are assigned or deleted of anything but `self`, `cls`, or what __new__ makes."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__new__":
            yield from assigned_from_outside(node, own="member")
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if ast.unparse(node.value) not in (own, "self", "cls"):
                yield ast.unparse(node)
        else:
            yield from assigned_from_outside(node, own)


def test_no_attribute_is_assigned_from_outside() -> None:
    assert {
        (str(path.relative_to(ROOT)), attribute)
        for path in ROOT.rglob("*.py")
        for attribute in assigned_from_outside(ast.parse(path.read_text()))
    } == ASSIGNED_FROM_OUTSIDE


def test_every_way_to_assign_is_seen() -> None:
    ways = "a.x = 1", "a.x += 1", "a.x: int = 1", "del a.x", "b, (a.x, c) = d", "for a.x in b: pass"
    for way in ("with b as a.x: pass", "[0 for a.x in b]", *ways):
        assert list(assigned_from_outside(ast.parse(f"def f(a, b, d):\n    {way}"))) == ["a.x"], way
    own = "self.x = cls.x = 1; self.x[a.x] = a.x; a.x.append(self.x)"
    assert not list(assigned_from_outside(ast.parse(own)))
