"""What a guest may call themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.access.identity import display_name, identity_problem


@pytest.mark.parametrize(
    "identity", ["a", "A-z0.9_:@+=~-", "x" * 128, "eg_1", "EG1", "Agent-1", "user@example.com"]
)
def test_these_are_identities(identity: str) -> None:
    assert identity_problem(identity) is None


@pytest.mark.parametrize(
    "identity", ["", "x" * 129, "a b", "a\n", "a/b", "a|b", "é", "a\x00", "EG_1", "agent-1", "EG_", "agent-"]
)
def test_these_are_none(identity: str) -> None:
    assert identity_problem(identity)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Jane Speaker", "Jane Speaker"),
        ("", None),
        ("  ", None),
        ("\u202e\u200f\n", None),
        ("Ja\x00ne\x7f\x85", "Jane"),
        ("ab\u202egnp.exe\u2069", "abgnp.exe"),
        ("one\ntwo\ttree", "onetwotree"),
        ("a\u2028b\u2029c", "abc"),
        ("é日本\u200d👩", "é日本\u200d👩"),
        ("x" * 65, "x" * 64),
        ("\n" * 9 + "y" * 70, "y" * 64),
    ],
)
def test_names_are_shown_without_tricks(name: str, shown: str | None) -> None:
    assert display_name(name) == shown


@given(st.text())
def test_a_shown_name_is_short_visible_and_stays_the_same(name: str) -> None:
    shown = display_name(name)
    assert shown is None or (0 < len(shown) <= 64 and shown.strip())
    assert shown is None or not any(ord(c) < 32 or c in "\u202e\u2066\u200e" for c in shown)
