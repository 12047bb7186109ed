"""createToken against the token servers people write by hand. `python -m tests.bench.create_token`

One process each, 64 connections, the servers on one core and the load on another; the rounds alternate, and
the median counts. Goal: 8 times the Flask server of LiveKit's documentation, 3 times a FastAPI one, both with
livekit-api's AccessToken, and a p99 under 20 ms. The others check nothing and know no rooms.
"""

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.bench.load import Load, load
from tests.support.cache import cache_dir
from tests.unit.sidecar.harness import KEY, ROOM_ID, ROOM_NAME, SECRET, TOKEN

MAX_CONNECTIONS, ROUNDS, SECONDS = 64, 3, 3.0
PINNED = (
    "flask==3.1.3",
    "fastapi==0.165.0",
    "uvicorn[standard]==0.54.0",
    f"livekit-api=={version('livekit-api')}",
)
PEERS = Path(__file__).parent / "peers"
BODY = json.dumps(
    {
        "room_id": ROOM_ID,
        "LKRoomName": ROOM_NAME,
        "participant_name": "Jane Speaker",
        "participant_id": "participant-123",
        "hidden": False,
    }
).encode()


def main() -> None:
    python = _peers_python()
    servers = {
        "Flask": ([python, str(PEERS / "flask_server.py")], "/token"),
        "FastAPI": ([python, str(PEERS / "fastapi_server.py")], "/token"),
        "roomctl": ([sys.executable, "-m", "tests.bench.peers.sidecar_server"], TOKEN),
    }
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    loads: dict[str, list[Load]] = {name: [] for name in servers}
    cpu: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(ROUNDS):
        for name, (command, path) in servers.items():
            with _running(command, cores[0]) as (port, pid):
                load(port, _request(path), MAX_CONNECTIONS, 0.5)
                before = _cpu(pid)
                loads[name].append(load(port, _request(path), MAX_CONNECTIONS, SECONDS))
                cpu[name].append((_cpu(pid) - before) / len(loads[name][-1].latencies))
    _report(loads, {name: statistics.median(each) for name, each in cpu.items()})


def _report(loads: dict[str, list[Load]], cpu: dict[str, float]) -> None:
    for name, runs in loads.items():
        p50, p99 = (statistics.median(run.percentile(share) for run in runs) * 1000 for share in (0.5, 0.99))
        rate = statistics.median(run.rate for run in runs)
        _say(
            f"{name:8} {rate:8.0f} tokens/s   p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   "
            f"{cpu[name] * 1e6:6.0f} us of CPU a token"
        )
    for name, goal in (("Flask", 8), ("FastAPI", 3)):
        rounds = zip(loads["roomctl"], loads[name], strict=True)
        times = sorted(ours.rate / theirs.rate for ours, theirs in rounds)
        shown = ", ".join(f"{ratio:.1f}" for ratio in times)
        _say(
            f"roomctl is {statistics.median(times):.1f} times {name} (goal {goal}; the rounds: {shown}), "
            f"by CPU {cpu[name] / cpu['roomctl']:.1f} times"
        )
    _say(
        f"measured on {platform.machine()}, {os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}), "
        f"Python {platform.python_version()}, aiohttp {version('aiohttp')}, {', '.join(PINNED)}"
    )


def _request(path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


@contextmanager
def _running(command: list[str], core: int) -> Iterator[tuple[int, int]]:
    """The server on a free port and one core; its port and its pid."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environ = {**os.environ, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    server = subprocess.Popen(
        [*command, str(port)], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        os.sched_setaffinity(server.pid, {core})
        _await_port(port, server)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def _cpu(pid: int) -> float:
    """The CPU seconds a process has used: what other programs on the machine do not change."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _await_port(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if server.poll() is not None:
            raise RuntimeError(f"{server.args!r} ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{server.args!r} did not listen within 10 s")


def _peers_python() -> str:
    """A Python with the others' packages: a virtual environment of its own in the cache folder."""
    folder = cache_dir() / "bench-create-token"
    python = folder / "bin" / "python"
    wanted = "\n".join(PINNED)
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINNED], check=True)
        stamp.write_text(wanted)
    return str(python)


def _say(line: str) -> None:
    print(line)


if __name__ == "__main__":
    main()
