"""Log lines never delay anybody: what cannot be written is dropped, and counted."""

import os
import threading

from controller.log_sink import MAX_WAITING_LINES, LogSink


def test_lines_arrive_in_order() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    for number in range(100):
        sink.write(f"line {number}\n")
    sink.drain(10)
    assert os.read(read, 1 << 16).decode().splitlines() == [f"line {number}" for number in range(100)]
    assert sink.dropped == 0


def test_line_is_written_whole_by_a_descriptor_that_takes_it_in_parts() -> None:
    written: list[bytes] = []

    def some(_fd: int, data: bytes) -> int:
        written.append(data[:3])
        return len(written[-1])

    sink = LogSink(2, some)
    sink.write("a long line\n")
    sink.drain(10)
    assert b"".join(written) == b"a long line\n"


def test_reader_that_has_gone_costs_lines_alone() -> None:
    read, write = os.pipe()
    os.close(read)
    sink = LogSink(write)
    sink.write("one\n")
    sink.write("two\n")
    sink.drain(10)
    assert sink.dropped == 2


def test_pipe_that_nobody_reads_never_blocks() -> None:
    taken, release = threading.Event(), threading.Event()

    def stuck(_fd: int, data: bytes) -> int:
        taken.set()
        release.wait()
        return len(data)

    sink = LogSink(2, stuck)
    sink.write("taken\n")
    assert taken.wait(10)
    for _ in range(MAX_WAITING_LINES + 5):
        sink.write("a line\n")
    assert sink.dropped == 5
    sink.drain(0.01)  # returns although nothing moves
    release.set()
    sink.drain(10)
    assert sink.dropped == 5


def test_text_that_is_no_unicode_is_escaped() -> None:
    read, write = os.pipe()
    sink = LogSink(write)
    sink.write("\udcff\n")
    sink.drain(10)
    assert os.read(read, 100) == b"\\udcff\n"
