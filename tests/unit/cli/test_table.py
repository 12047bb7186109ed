"""Columns in a pipe: nothing is cut or folded, whatever its width."""

import pytest

from controller.cli.table import print_table

HEADER = ("KEY", "FILE", "NOTE")


def shown(capsys: pytest.CaptureFixture[str], *rows: tuple[str, str, str]) -> list[str]:
    print_table(HEADER, rows, {"KEY": {"a": "red"}})
    return capsys.readouterr().out.splitlines()


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, ("events/a", "1", "x"), ("b", "/long/name", "y")) == [
        "KEY       FILE        NOTE",
        "events/a  1           x",
        "b         /long/name  y",
    ]


def test_a_cell_of_any_length_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    long = "/".join(["name"] * 500)
    assert long in shown(capsys, ("a", long, ""))[1]


def test_a_wide_character_takes_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, ("会議", "1", "x"), ("abcd", "2", "y"))
    assert lines[1:] == ["会議  1     x", "abcd  2     y"]


def test_no_line_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, ("a", "1", ""), ("b", "2", "note"))[1] == "a    1"


def test_a_table_of_thousands_has_each_row_once_and_in_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(str(number), "f", "n") for number in range(2_345)]
    assert [line.split()[0] for line in shown(capsys, *rows)] == ["KEY", *(row[0] for row in rows)]
