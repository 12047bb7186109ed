"""Tokens, held against PyJWT and against LiveKit's own verifier."""

import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.api import TokenVerifier

from controller.access.policy import Role, permission_for
from controller.access.tokens import Badge, Minter, token_digest
from controller.room import RoomSpec
from controller.settings_parsers import ApiKey

KEY, SECRET, NOW = "APIkey", "a-secret-of-at-least-32-characters", 1_795_000_000
JTI = "0123456789abcdef0123456789abcdef"
MINTER = Minter(ApiKey(KEY, SECRET), 300)
SPEC = RoomSpec(name="Room", max_participants=9, allow_share_screen=True)


def mint(
    identity: str = "jane",
    name: str | None = None,
    role: Role = Role.SPEAKER,
    room: str = "room",
    now: int = NOW,
) -> str:
    badge = Badge(role, JTI)
    return MINTER.mint(room, identity, name, badge=badge, may=permission_for(role, SPEC), now=now)


def claims(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(
        token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False}
    )
    return read


def test_a_token_says_exactly_this() -> None:
    assert jwt.get_unverified_header(mint()) == {"alg": "HS256", "typ": "JWT"}
    assert claims(mint(name="Jane")) == {
        "iss": KEY,
        "sub": "jane",
        "name": "Jane",
        "nbf": NOW,
        "exp": NOW + 300,
        "jti": JTI,
        "attributes": {"role": "speaker", "jti_sha256": token_digest(JTI)},
        "video": {
            "roomJoin": True,
            "room": "room",
            "canSubscribe": True,
            "canPublish": True,
            "canPublishData": False,
            "canPublishSources": ["camera", "microphone", "screen_share", "screen_share_audio"],
            "canUpdateOwnMetadata": False,
            "hidden": False,
            "recorder": False,
            "agent": False,
            "canSubscribeMetrics": False,
            "canManageAgentSession": False,
        },
    }
    assert "name" not in claims(mint())


def test_a_reserved_seat_is_an_attribute() -> None:
    badge, may = Badge(Role.GUEST, JTI, reserved=True), permission_for(Role.GUEST, SPEC)
    token = MINTER.mint("room", "jane", None, badge=badge, may=may, now=NOW)
    assert claims(token)["attributes"]["seat"] == "reserved"


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_as_it_was(identity: str, name: str) -> None:
    read = claims(mint(identity, name, room=name))
    assert (read["sub"], read["name"], read["video"]["room"]) == (identity, name, name)


@pytest.mark.parametrize("role", list(Role))
def test_livekits_own_verifier_reads_it(role: Role) -> None:

    read = TokenVerifier(KEY, SECRET).verify(mint(role=role, now=int(time.time())))
    assert read.video is not None
    may = permission_for(role, SPEC)
    attributes = {"role": role, "jti_sha256": token_digest(JTI)}
    assert (read.identity, read.attributes) == ("jane", attributes)
    assert (read.video.room_join, read.video.room, read.video.hidden) == (True, "room", may.hidden)
    assert (read.video.can_publish, read.video.can_publish_data) == (may.can_publish, may.can_publish_data)
    assert not any(
        (read.video.room_create, read.video.room_admin, read.video.room_list, read.video.room_record)
    )


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(MINTER)


class TestProof:
    @pytest.mark.parametrize(
        ("now", "proves"),
        [
            (NOW, True),
            (NOW - 60, True),
            (NOW - 61, False),
            (NOW + 300 + 6 * 3600, True),
            (NOW + 301 + 6 * 3600, False),
        ],
    )
    def test_holds_from_minting_to_six_hours_after_the_end(self, now: int, proves: bool) -> None:
        assert MINTER.token_id(mint(), "room", "jane", now) == (JTI if proves else None)

    def test_is_bound_to_room_and_identity(self) -> None:
        assert MINTER.token_id(mint(), "other", "jane", NOW) is None
        assert MINTER.token_id(mint(), "room", "joe", NOW) is None

    def test_takes_what_the_server_refreshed(self) -> None:
        """LiveKit signs a token of its own for who is inside, with claims in another order."""
        fresh = {**dict(reversed(claims(mint()).items())), "metadata": "x"}
        assert MINTER.token_id(jwt.encode(fresh, SECRET, algorithm="HS256"), "room", "jane", NOW) == JTI

    @pytest.mark.parametrize(
        "change",
        [
            {"iss": "other"},
            {"exp": None},
            {"exp": True},
            {"exp": "9999999999"},
            {"exp": 9999999999.0},
            {"nbf": "0"},
            {"jti": None},
            {"jti": 7},
            {"video": None},
            {"video": []},
            {"video": {"room": "room"}},
            {"video": {"room": "room", "roomJoin": 1}},
        ],
    )
    def test_claims_that_are_not_ours_prove_nothing(self, change: dict[str, Any]) -> None:
        forged = jwt.api_jws.encode(json.dumps({**claims(mint()), **change}).encode(), SECRET, "HS256")
        assert MINTER.token_id(forged, "room", "jane", NOW) is None

    @pytest.mark.parametrize("algorithm", ["none", "HS512", "HS384"])
    def test_only_hs256_is_believed(self, algorithm: str) -> None:
        key = None if algorithm == "none" else SECRET.ljust(64, "x")
        minter = Minter(ApiKey(KEY, SECRET.ljust(64, "x")), 300)
        assert (
            minter.token_id(jwt.encode(claims(mint()), key, algorithm=algorithm), "room", "jane", NOW) is None
        )

    def test_a_changed_letter_breaks_it(self) -> None:
        token = mint()
        for place in range(0, len(token), 7):
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            assert MINTER.token_id(changed, "room", "jane", NOW) is None

    @given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
    def test_any_text_is_no_proof_and_no_fault(self, text: str) -> None:
        assert MINTER.token_id(text, "room", "jane", NOW) is None
        signed = text.encode("utf-8", "replace").decode("ascii", "replace").replace("\ufffd", "")
        assert MINTER.token_id(f"{signed}.{signed}.{signed}", "room", "jane", NOW) is None
