"""Invites and egress tokens, held against PyJWT: what is good, and all that is not."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.access.invites import (
    MAX_EGRESS_TOKEN_TTL_SECONDS,
    MAX_INVITE_TTL_SECONDS,
    Invite,
    admits_hidden,
    mint_egress,
    mint_invite,
    read_invite,
)
from controller.access.policy import Role, permission_for
from controller.access.tokens import Badge, Minter
from controller.room import Purpose, RoomSpec, derive_key
from controller.settings_parsers import ApiKey

NOW = 1_795_000_000
DAY = 24 * 3600
SECRET = "a-secret-of-at-least-32-characters"
KEY, EGRESS_KEY = derive_key(SECRET, Purpose.INVITE), derive_key(SECRET, Purpose.EGRESS)
ROOM, NAME = "69f013c1aa11bb22cc33dd44", "34d4f497-f95b-4543-8d15-fde0b77d8abc"
INVITE = Invite(ROOM, Role.SPEAKER, 3, NOW + DAY, "jane")
CLAIMS = {
    "aud": "roomctl/invite",
    "room": ROOM,
    "role": "speaker",
    "epoch": 3,
    "iat": NOW,
    "exp": NOW + DAY,
    "sub": "jane",
}
PASS = {"aud": "roomctl/egress", "room": ROOM, "name": NAME, "iat": NOW, "exp": NOW + 900}
KIND, PASS_KIND = "roomctl-invite+jwt", "roomctl-egress+jwt"


def signed(
    claims: dict[str, Any], key: bytes = KEY, kind: str = KIND, alg: str = "HS256", **more: object
) -> str:
    """The token that PyJWT makes of it, its header in our order."""
    changed = {name: value for name, value in {**claims, **more}.items() if value is not None}
    header = base64.urlsafe_b64encode(json.dumps({"alg": alg, "typ": kind}, separators=(",", ":")).encode())
    whole = jwt.encode(changed, key, "HS256").split(".")
    body = header.rstrip(b"=").decode() + "." + whole[1]
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(body.encode(), algorithm.prepare_key(key))
    return body + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()


def read_by_pyjwt(token: str, key: bytes, audience: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(
        token, key, ["HS256"], audience=audience, options={"verify_exp": False, "verify_iat": False}
    )
    return read


def test_an_invite_is_what_another_implementation_reads() -> None:
    token = mint_invite(INVITE, KEY, NOW)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": KIND}
    assert read_by_pyjwt(token, KEY, "roomctl/invite") == CLAIMS


def test_what_another_implementation_signs_is_an_invite() -> None:
    assert read_invite(signed(CLAIMS), KEY, NOW) == INVITE
    unbound = read_invite(signed(CLAIMS, sub=None), KEY, NOW)
    assert unbound is not None
    assert unbound.identity is None


@pytest.mark.parametrize(
    "more",
    [
        {"aud": "roomctl/egress"},
        {"aud": None},
        {"aud": ["roomctl/invite"]},
        {"room": None},
        {"room": 7},
        {"role": "hidden"},
        {"role": "admin"},
        {"role": None},
        {"epoch": "3"},
        {"epoch": 3.0},
        {"epoch": True},
        {"epoch": None},
        {"sub": 7},
        {"sub": ["jane"]},
        {"exp": NOW},
        {"exp": None},
        {"exp": float(NOW + DAY)},
        {"exp": NOW + MAX_INVITE_TTL_SECONDS + 1},
        {"exp": True},
        {"iat": NOW + 61},
        {"iat": None},
        {"iat": "x"},
    ],
)
def test_wrong_claims_make_no_invite(more: dict[str, Any]) -> None:
    assert read_invite(signed({**CLAIMS, **more}), KEY, NOW) is None


def test_a_clock_that_is_a_minute_ahead_is_borne() -> None:
    assert read_invite(signed(CLAIMS, iat=NOW + 60), KEY, NOW) is not None


def test_it_ends_on_the_second() -> None:
    token = mint_invite(INVITE, KEY, NOW)
    assert read_invite(token, KEY, NOW + DAY - 1) == INVITE
    assert read_invite(token, KEY, NOW + DAY) is None


@pytest.mark.parametrize("seconds", [0, -1, MAX_INVITE_TTL_SECONDS + 1])
def test_none_is_made_for_longer_than_30_days(seconds: int) -> None:
    with pytest.raises(ValueError, match="30 days"):
        mint_invite(Invite(ROOM, Role.SPEAKER, 0, NOW + seconds), KEY, NOW)


@pytest.mark.parametrize(
    ("kind", "alg"),
    [("JWT", "HS256"), (PASS_KIND, "HS256"), (KIND, "none"), (KIND, "HS384"), (KIND, "hs256")],
)
def test_another_header_makes_no_invite_though_the_key_is_right(kind: str, alg: str) -> None:
    assert read_invite(signed(CLAIMS, kind=kind, alg=alg), KEY, NOW) is None


def test_without_a_signature_it_is_none() -> None:
    unsigned = jwt.encode(CLAIMS, None, algorithm="none", headers={"typ": KIND})
    token = mint_invite(INVITE, KEY, NOW)
    for text in (unsigned, token.rpartition(".")[0] + ".", token.rpartition(".")[0]):
        assert read_invite(text, KEY, NOW) is None


@pytest.mark.parametrize(
    "key",
    [EGRESS_KEY, derive_key(SECRET, Purpose.ROOM_ID), SECRET.encode(), derive_key("another", Purpose.INVITE)],
)
def test_another_key_makes_no_invite(key: bytes) -> None:
    assert read_invite(signed(CLAIMS, key=key), KEY, NOW) is None


def test_one_kind_of_token_is_never_taken_for_another() -> None:
    spec = RoomSpec(name="Room", max_participants=3)
    may = permission_for(Role.SPEAKER, spec)
    joined = Minter(ApiKey("key", SECRET), 300).mint(
        NAME, "jane", None, badge=Badge(Role.SPEAKER, "x"), may=may, now=NOW
    )
    invite, egress = mint_invite(INVITE, KEY, NOW), mint_egress(ROOM, NAME, EGRESS_KEY, NOW)
    assert read_invite(egress, KEY, NOW) is read_invite(egress, EGRESS_KEY, NOW) is None
    assert read_invite(joined, KEY, NOW) is read_invite(joined, SECRET.encode(), NOW) is None
    for text in (invite, joined):
        for key in (KEY, EGRESS_KEY, SECRET.encode()):
            assert not admits_hidden(text, ROOM, NAME, key, NOW)
    assert Minter(ApiKey("key", SECRET), 300).token_id(invite, NAME, "jane", NOW) is None


def test_a_huge_one_is_not_looked_at() -> None:
    assert read_invite(signed(CLAIMS, more="x" * 8192), KEY, NOW) is None
    assert read_invite("a." * 1_000_000, KEY, NOW) is None


def test_no_cut_and_no_changed_character_passes() -> None:
    token = mint_invite(INVITE, KEY, NOW)
    for place in range(len(token)):
        other = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert read_invite(token[:place], KEY, NOW) is None
        assert read_invite(other, KEY, NOW) is None


def test_no_other_writing_of_a_signature_passes() -> None:
    """43 digits of base64 hold two bits more than a signature has."""
    token = mint_invite(INVITE, KEY, NOW)
    for digit in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        assert digit == token[-1] or read_invite(token[:-1] + digit, KEY, NOW) is None
    for other in (token + "=", token + "==", token + " ", token + "\n"):
        assert read_invite(other, KEY, NOW) is None


@given(st.text() | st.lists(st.text(max_size=20), max_size=4).map(".".join))
def test_garbage_is_no_invite(text: str) -> None:
    assert read_invite(text, KEY, NOW) is None
    assert not admits_hidden(text, ROOM, NAME, EGRESS_KEY, NOW)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5), st.data())
def test_a_claim_of_any_kind_makes_none_or_the_one_it_says(value: object, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["aud", "role", "iat", "exp", "epoch"]))
    invite = read_invite(signed({**CLAIMS, name: value}), KEY, NOW)
    assert invite is None or value == CLAIMS[name] or name in ("iat", "exp", "epoch")


def test_an_egress_token_is_for_one_activation_of_one_room() -> None:
    token = mint_egress(ROOM, NAME, EGRESS_KEY, NOW)
    assert read_by_pyjwt(token, EGRESS_KEY, "roomctl/egress") == PASS
    assert admits_hidden(token, ROOM, NAME, EGRESS_KEY, NOW)
    assert admits_hidden(token, ROOM, NAME, EGRESS_KEY, NOW + MAX_EGRESS_TOKEN_TTL_SECONDS - 1)
    assert not admits_hidden(token, ROOM, NAME, EGRESS_KEY, NOW + MAX_EGRESS_TOKEN_TTL_SECONDS)
    assert not admits_hidden(token, ROOM, "another", EGRESS_KEY, NOW)
    assert not admits_hidden(token, "f" * 24, NAME, EGRESS_KEY, NOW)
    assert not admits_hidden(token, ROOM, NAME, KEY, NOW)


@pytest.mark.parametrize(
    "more",
    [
        {"exp": NOW + 901},
        {"exp": NOW},
        {"iat": NOW + 61},
        {"aud": "roomctl/invite"},
        {"name": None},
        {"room": 1},
    ],
)
def test_wrong_claims_admit_nobody_hidden(more: dict[str, Any]) -> None:
    assert admits_hidden(signed(PASS, EGRESS_KEY, PASS_KIND), ROOM, NAME, EGRESS_KEY, NOW)
    assert not admits_hidden(signed({**PASS, **more}, EGRESS_KEY, PASS_KIND), ROOM, NAME, EGRESS_KEY, NOW)
