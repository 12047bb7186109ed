"""A verb that only reads loads what it uses: to load a library takes longer than the verb itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_ports

SLOW = {
    *("aiohttp", "google.protobuf", "livekit", "prometheus_client", "rich.console", "structlog"),
    *("uvloop", "watchfiles", "yaml"),
}
"""Libraries that no reading verb needs: its LiveKit is plain HTTP, and it has no line to log."""
PLANNING = {"controller.plan.model", "controller.reconcile.status", "controller.live.client"}

PROGRAM = """
import json, sys
from controller.cli import run_verb
code = run_verb(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("get",), 0),
        (("get", "-o", "json"), 0),
        (("events",), 0),
        (("recordings",), 0),
        (("status",), 1),
        (("describe", "standup"), 1),
    ],
)
def test_a_verb_that_reads_loads_no_more_than_it_uses(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    (port,) = free_ports(1)
    env = {
        "PATH": "",
        "LIVEKIT_URL": f"http://127.0.0.1:{port}",
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": "a-secret-of-at-least-32-characters",
    }
    command = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    ended, loaded = json.loads(done.stdout.splitlines()[-1])
    assert ended == code, done.stderr
    assert not (SLOW - {"yaml"} if words[0] == "describe" else SLOW) & set(loaded)
    assert not PLANNING & set(loaded)
