"""A small HTTP load generator: one thread, raw sockets and epoll, the same request over and over."""

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """What came of it: answers a second, and the latencies in seconds, sorted."""

    rate: float
    latencies: Sequence[float]

    def percentile(self, share: float) -> float:
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)]


@dataclass
class _Connection:
    port: int
    request: bytes
    wire: socket.socket = field(init=False)
    sent: float = 0.0
    answer: bytes = b""

    def open(self) -> None:
        self.wire = socket.create_connection(("127.0.0.1", self.port))
        self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        self.answer, self.sent = b"", time.perf_counter()
        self.wire.sendall(self.request)

    def done(self) -> bool:
        """Take in what has come; whether the answer is whole. RuntimeError where it is no success."""
        self.answer += self.wire.recv(65536)
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end:
            if not self.answer:
                raise RuntimeError("the server closed a connection without an answer")
            return False
        if head[9:10] != b"2":
            raise RuntimeError(f"the server answered {head[9:12].decode()}")
        return len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])

    @property
    def closes(self) -> bool:
        head = self.answer.partition(b"\r\n\r\n")[0].lower()
        return b"connection: close" in head or head.startswith(b"http/1.0")


def load(port: int, request: bytes, connections: int, seconds: float) -> Load:
    """Keep `connections` requests under way for `seconds`; what closes its connections gets new ones."""
    poll = select.epoll()
    by_fd: dict[int, _Connection] = {}

    def begin(connection: _Connection) -> None:
        connection.open()
        by_fd[connection.wire.fileno()] = connection
        poll.register(connection.wire.fileno(), select.EPOLLIN)

    for _ in range(connections):
        begin(connection := _Connection(port, request))
        connection.ask()
    latencies: list[float] = []
    began = now = time.perf_counter()
    while now - began < seconds:
        for fd, _ in poll.poll(1):
            connection = by_fd[fd]
            if not connection.done():
                continue
            now = time.perf_counter()
            latencies.append(now - connection.sent)
            if connection.closes:
                poll.unregister(fd)
                del by_fd[fd]
                connection.wire.close()
                begin(connection)
            connection.ask()
        now = time.perf_counter()
    for connection in by_fd.values():
        connection.wire.close()
    poll.close()
    return Load(len(latencies) / (now - began), sorted(latencies))
