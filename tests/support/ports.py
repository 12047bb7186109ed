"""Ports for what tests start: nobody else takes one between its choice and the program's listening there."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

BELOW_EPHEMERAL = range(15_000, 32_000)
"""The kernel gives these to no outgoing connection (Linux and macOS)."""

_kept: list[int] = []
"""Locked files, one per port, held until this process ends; other test processes see the locks."""


def free_ports(count: int) -> list[int]:
    """Ports free for TCP and UDP on loopback, all different, and this process's until it ends."""
    return [_take() for _ in range(count)]


def _take() -> int:
    folder = Path(tempfile.gettempdir(), f"roomctl-ports-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    chance = random.SystemRandom()
    for _ in BELOW_EPHEMERAL:
        port = chance.choice(BELOW_EPHEMERAL)
        lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if _locked(lock) and _is_free(port):
            _kept.append(lock)
            return port
        os.close(lock)
    raise RuntimeError("no port is free for a test")


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
