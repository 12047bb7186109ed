"""findLKRoomNameById and createToken: what they answer, and the order of what they refuse."""

import asyncio
from dataclasses import replace
from itertools import islice
from typing import Any

import jwt
import pytest

from controller.access.policy import Role, permission_for
from controller.access.tokens import Badge, Minter
from controller.errors import LiveKitUnavailableError
from controller.live.room import Participant
from controller.settings_parsers import ApiKey
from controller.sidecar.joining import participant_cache
from tests.support.reference import FIND as FIND_ROOM
from tests.support.wait import PATIENCE
from tests.unit.sidecar.harness import (
    FIND,
    JTI,
    KEY,
    NOW,
    ROOM_ID,
    ROOM_NAME,
    SECRET,
    SETTINGS,
    TOKEN,
    ask,
    person,
    record,
    serving,
    spec,
    token_claims,
)


def claims(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(
        token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False}
    )
    return decoded


async def test_find_answers_exactly_the_references_fields() -> None:
    async with serving() as harness:
        for address in (harness.sidecar.public, harness.sidecar.private):
            reply = await ask(address, "POST", FIND, b'{"id": "%b", "x": 1}' % ROOM_ID.encode())
            assert reply.status == 200
            assert list(reply.json) == list(FIND_ROOM.answers)
            own = {"id": ROOM_ID, "LKRoomName": ROOM_NAME, "allow_webinar_mode": False, "allow_chat": False}
            assert reply.json == {**FIND_ROOM.answers, **own, "allow_share_screen": False}
            assert reply.headers["cache-control"] == "no-store"


async def test_unknown_inactive_removed_and_malformed_ids_are_answered_alike() -> None:
    async with serving() as harness:
        harness.put(record(id="a" * 24, key="a", spec=spec(active=False), live=None))
        harness.put(record(id="b" * 24, key="b", removed_at=record().created, live=None))
        replies = [
            await harness.post(FIND, {"id": id_})
            for id_ in ("c" * 24, "a" * 24, "b" * 24, "", "nonsense", ROOM_ID.upper(), "../" + ROOM_ID, "é")
        ]
        assert {(r.status, r.code, r.body) for r in replies} == {(404, "ROOM_NOT_FOUND", replies[0].body)}


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": 7}, {"id": True}, {"id": [ROOM_ID]}])
async def test_find_wants_an_id_that_is_a_string(body: dict[str, Any]) -> None:
    async with serving() as harness:
        reply = await harness.post(FIND, body)
        assert (reply.status, reply.code) == (400, "INVALID_FIELD")


async def test_an_active_room_that_is_not_live_yet_is_not_ready() -> None:
    async with serving() as harness:
        harness.state.live.clear()
        for reply in (await harness.post(FIND, {"id": ROOM_ID}), await harness.token(LKRoomName="wrong")):
            assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "ROOM_NOT_READY", "1")


async def test_create_token_answers_exactly_the_references_fields() -> None:
    async with serving() as harness:
        reply = await harness.token({"x-access-token": "<your_api_token>"}, participant_name="Jane")
        assert (reply.status, list(reply.json)) == (200, ["participant_token", "LKRoomName", "success"])
        assert (reply.json["LKRoomName"], reply.json["success"]) == (ROOM_NAME, True)
        assert reply.headers["cache-control"] == "no-store"
        token = claims(reply.json["participant_token"])
        assert token["iss"] == KEY
        assert (token["sub"], token["name"]) == ("jane", "Jane")
        assert (token["nbf"], token["exp"]) == (NOW, NOW + 300)


@pytest.mark.parametrize(
    ("webinar", "hidden", "role"),
    [(False, False, "guest"), (True, False, "guest"), (False, True, "hidden"), (False, None, "guest")],
)
async def test_the_role_is_what_was_proven(webinar: bool, hidden: bool | None, role: str) -> None:
    async with serving() as harness:
        policy = spec(allow_webinar_mode=webinar, allow_chat=True, allow_share_screen=True)
        harness.put(record(spec=policy))
        token = claims((await harness.token(hidden=hidden)).json["participant_token"])
        may = permission_for(Role(role), policy)
        assert token["attributes"]["role"] == role
        assert token["video"]["canPublish"] is may.can_publish
        assert token["video"]["canPublishData"] is may.can_publish_data
        assert token["video"]["hidden"] is may.hidden
        assert [s.upper() for s in token["video"]["canPublishSources"]] == list(may.sources)


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "speaker"},
        {"canPublish": True, "video": {"roomAdmin": True}},
        {"attributes": {"role": "speaker"}, "metadata": "x", "room_config": {}},
    ],
)
async def test_no_field_of_the_request_raises_a_right(fields: dict[str, Any]) -> None:
    async with serving() as harness:
        harness.put(record(spec=spec(allow_webinar_mode=True)))
        plain, dressed = await harness.token(), await harness.token(**fields)
        asked, wanted = [claims(reply.json["participant_token"]) for reply in (dressed, plain)]
        assert asked["attributes"].keys() == wanted["attributes"].keys()
        for part in (asked, wanted):
            part["jti"], part["attributes"]["jti_sha256"] = "random", "random"
        assert asked == wanted


@pytest.mark.parametrize(
    "fields",
    [
        {"room_id": None},
        {"room_id": 7},
        {"LKRoomName": None},
        {"LKRoomName": {}},
        {"participant_id": None},
        {"participant_id": ""},
        {"participant_id": "a b"},
        {"participant_id": "jane\n"},
        {"participant_id": "é"},
        {"participant_id": "a" * 129},
        {"participant_id": "EG_1"},
        {"participant_id": "agent-1"},
        {"participant_name": 7},
        {"hidden": "true"},
        {"hidden": 1},
        {"egress_mode_token": 1},
    ],
)
async def test_a_wrong_field_is_named(fields: dict[str, Any]) -> None:
    async with serving() as harness:
        reply = await harness.token(**fields)
        assert (reply.status, reply.code) == (400, "INVALID_FIELD")
        assert next(iter(fields)) in reply.json["error"]


async def test_refusals_come_in_the_contracts_order() -> None:
    """Everything is wrong at first; each step mends what was complained of."""
    async with serving() as harness:
        policy = spec(allow_webinar_mode=True, max_participants=1)
        harness.put(record(spec=spec(active=False)))
        harness.state.live.clear()
        harness.people.inside[ROOM_NAME] = [Participant("jane")]
        bad = {"Authorization": "Bearer nonsense"}
        body: dict[str, Any] = {"participant_id": "", "LKRoomName": "old", "hidden": True}

        async def code(headers: dict[str, str]) -> str:
            return (await harness.token(headers, **body)).code

        assert await code(bad) == "INVALID_FIELD"
        body["participant_id"] = "jane"
        assert await code(bad) == "ROOM_NOT_FOUND"
        harness.put(record(spec=policy))
        harness.state.live.clear()
        assert await code(bad) == "ROOM_NOT_READY"
        harness.put(record(spec=policy))
        assert await code(bad) == "ROOM_NAME_STALE"
        body["LKRoomName"] = ROOM_NAME
        assert await code(bad) == "PROOF_INVALID"
        assert await code({}) == "HIDDEN_NOT_ALLOWED"
        body["hidden"] = False
        assert await code({}) == "IDENTITY_IN_USE"
        body["participant_id"] = "joe"
        assert await code({}) == "ROOM_FULL"
        harness.people.inside.clear()
        harness.clock.now += 1
        assert (await harness.token(**body)).status == 200


@pytest.mark.parametrize("value", ["Bearer", "Bearer x", "bearer x.y.z", "BEARER " + "x" * 4000])
async def test_a_bearer_that_is_no_invite_is_never_silently_a_guest(value: str) -> None:
    async with serving() as harness:
        reply = await harness.token({"Authorization": value})
        assert (reply.status, reply.code) == (401, "PROOF_INVALID")


@pytest.mark.parametrize("headers", [{"Authorization": "Basic eDp5"}, {"x-access-token": "x"}])
async def test_what_is_no_proof_is_ignored(headers: dict[str, str]) -> None:
    async with serving() as harness:
        assert (await harness.token(headers)).status == 200


async def test_hidden_can_be_made_to_need_a_token_in_any_room() -> None:
    async with serving(replace(SETTINGS, hidden_requires_token=True)) as harness:
        reply = await harness.token(hidden=True, egress_mode_token="x")
        assert (reply.status, reply.code) == (403, "HIDDEN_NOT_ALLOWED")


class TestIdentityInUse:
    async def test_says_when_to_come_back(self) -> None:
        async with serving() as harness:
            harness.people.inside[ROOM_NAME] = [Participant("jane")]
            reply = await harness.token()
            assert (reply.status, reply.headers["retry-after"]) == (409, "20")

    @pytest.mark.parametrize(("age", "status"), [(0, 200), (300 + 6 * 3600, 200), (301 + 6 * 3600, 409)])
    async def test_the_token_before_proves_the_identity(self, age: int, status: int) -> None:
        async with serving() as harness:
            first = await harness.token()
            before, jti = first.json["participant_token"], token_claims(first)["jti"]
            harness.people.inside[ROOM_NAME] = [person("jane", jti)] * 3
            harness.wall.now += age
            harness.clock.now += 1
            reply = await harness.token({"X-Previous-Token": before})
            assert reply.status == status
            if status == 200:
                assert token_claims(reply)["jti"] == jti

    @pytest.mark.parametrize(
        ("key", "secret", "room", "identity"),
        [
            (KEY, SECRET, ROOM_NAME, "joe"),
            (KEY, SECRET, "another", "jane"),
            ("other", SECRET, ROOM_NAME, "jane"),
            (KEY, SECRET[::-1], ROOM_NAME, "jane"),
        ],
    )
    async def test_a_token_that_does_not_fit_is_ignored(
        self, key: str, secret: str, room: str, identity: str
    ) -> None:
        async with serving() as harness:
            harness.people.inside[ROOM_NAME] = [person("jane")]
            token = Minter(ApiKey(key, secret), 300).mint(
                room,
                identity,
                None,
                badge=Badge(Role.GUEST, JTI),
                may=permission_for(Role.GUEST, spec()),
                now=NOW,
            )
            assert (await harness.token({"X-Previous-Token": token})).code == "IDENTITY_IN_USE"
            assert (await harness.token({"X-Previous-Token": token}, participant_id="new")).status == 200

    @pytest.mark.parametrize("text", ["", "x", "a.b.c", "...", "caf\xe9", "x" * 8000])
    async def test_nonsense_is_ignored(self, text: str) -> None:
        async with serving() as harness:
            harness.people.inside[ROOM_NAME] = [Participant("jane")]
            assert (await harness.token({"X-Previous-Token": text})).code == "IDENTITY_IN_USE"

    async def test_a_previous_token_raises_no_role(self) -> None:
        async with serving() as harness:
            before = (await harness.token()).json["participant_token"]
            harness.put(record(spec=spec(allow_webinar_mode=True)))
            reply = await harness.token({"X-Previous-Token": before})
            assert claims(reply.json["participant_token"])["attributes"]["role"] == "guest"

    async def test_takeover_can_be_allowed(self) -> None:
        async with serving(replace(SETTINGS, identity_takeover="allow")) as harness:
            harness.people.inside[ROOM_NAME] = [Participant("jane")] * 3
            assert (await harness.token()).status == 200


class TestFull:
    @pytest.mark.parametrize(
        ("policy", "live", "people", "full"),
        [
            (3, 3, 2, False),
            (3, 3, 3, True),
            (2, 9, 2, True),
            (9, 2, 2, True),
            (2, 0, 2, True),
            (2, 0, 1, False),
        ],
    )
    async def test_the_smaller_limit_counts(self, policy: int, live: int, people: int, full: bool) -> None:
        async with serving() as harness:
            harness.put(record(spec=spec(max_participants=policy)), max_participants=live)
            harness.people.inside[ROOM_NAME] = [Participant(f"p{n}") for n in range(people)]
            assert (await harness.token()).status == (409 if full else 200)

    async def test_agents_egress_and_recorders_take_no_place(self) -> None:
        async with serving() as harness:
            harness.put(record(spec=spec(max_participants=1)))
            harness.people.inside[ROOM_NAME] = [
                Participant("a", kind="AGENT"),
                Participant("b", kind="EGRESS"),
                Participant("c", recorder=True),
            ]
            assert (await harness.token()).status == 200


class TestLookingInside:
    async def test_one_look_a_second_is_shared(self) -> None:
        async with serving() as harness:
            await asyncio.gather(*(harness.token() for _ in range(20)))
            assert harness.people.looks == 1
            harness.clock.now += 0.99
            await harness.token()
            assert harness.people.looks == 1
            harness.clock.now += 0.01
            await harness.token()
            assert harness.people.looks == 2

    async def test_a_failed_look_is_passed_over_counted_and_not_repeated(self) -> None:
        async with serving() as harness:
            harness.people.error = LiveKitUnavailableError("LiveKit does not answer")
            replies = [await harness.token() for _ in range(3)]
            assert [r.status for r in replies] == [200] * 3
            assert harness.people.looks == 1
            assert b"roomctl_participant_checks_skipped_total 3.0" in harness.metrics.text()

    async def test_a_look_that_takes_too_long_is_passed_over(self) -> None:
        async with serving() as harness:
            harness.people.held = asyncio.Event()
            assert (await harness.token()).status == 200

    async def test_beyond_256_in_flight_the_rest_is_told_to_come_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(participant_cache, "READ_TIMEOUT_SECONDS", PATIENCE)
        async with serving() as harness:
            harness.people.held = asyncio.Event()
            asks = [asyncio.create_task(harness.token()) for _ in range(300)]
            for answered in islice(asyncio.as_completed(asks), 300 - 256):
                reply = await answered
                assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "UNAVAILABLE", "1")
            harness.people.held.set()
            assert [(await task).status for task in asks].count(200) == 256


class TestWhatIsKnown:
    async def test_starting_until_the_first_full_read(self) -> None:
        async with serving() as harness:
            harness.state.mongodb.seen = None
            for reply in (await harness.token(), await harness.post(FIND, {"id": ROOM_ID})):
                assert (reply.status, reply.code) == (503, "STARTING")
                assert int(reply.headers["retry-after"]) > 0

    async def test_the_last_known_state_answers_for_five_minutes(self) -> None:
        async with serving() as harness:
            harness.state.livekit.record_failure(OSError("it is away"))
            harness.clock.now += 300
            assert (await harness.token()).status == 200
            harness.clock.now += 1
            for reply in (await harness.token(), await harness.post(FIND, {"id": ROOM_ID})):
                assert (reply.status, reply.code) == (503, "UNAVAILABLE")
                assert int(reply.headers["retry-after"]) > 0


class TestRates:
    async def test_a_rooms_tokens_are_bounded(self) -> None:
        async with serving(replace(SETTINGS, room_tokens_per_second=4)) as harness:
            assert [(await harness.token()).status for _ in range(11)] == [200] * 10 + [429]
            reply = await harness.token()
            assert (reply.code, reply.headers["retry-after"]) == ("TOO_MANY_REQUESTS", "1")
            harness.clock.now += 1
            assert [(await harness.token()).status for _ in range(2)] == [200, 429]

    async def test_an_addresss_requests_are_bounded_on_the_public_listener(self) -> None:
        async with serving(replace(SETTINGS, address_requests_per_second=1)) as harness:
            public, private = harness.sidecar.public, harness.sidecar.private
            statuses = [(await ask(public, "POST", "/x")).status for _ in range(11)]
            assert statuses == [404] * 10 + [429]
            assert (await ask(public, "POST", TOKEN)).code == "TOO_MANY_REQUESTS"
            assert (await ask(private, "GET", "/healthz")).status == 200

    async def test_a_trusted_proxys_clients_are_told_apart(self) -> None:
        settings = replace(SETTINGS, address_requests_per_second=1, trusted_proxies=("127.0.0.0/8",))
        async with serving(settings) as harness:

            async def status(forwarded: str) -> int:
                return (await harness.post("/x", {}, {"X-Forwarded-For": forwarded})).status

            assert [await status("198.51.100.1") for _ in range(11)] == [404] * 10 + [429]
            assert await status("198.51.100.2") == 404
            assert await status("198.51.100.2, 198.51.100.1") == 429

    async def test_nobody_elses_forwarded_address_is_believed(self) -> None:
        async with serving(replace(SETTINGS, address_requests_per_second=1)) as harness:
            replies = [
                await harness.post("/x", {}, {"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(11)
            ]
            assert [r.status for r in replies] == [404] * 10 + [429]
            state, metrics = harness.state, harness.metrics.text()
            assert (state.untrusted_proxy, state.untrusted_proxy_at) == ("127.0.0.1", harness.clock.now)
            assert b"roomctl_untrusted_forwarded_total 11.0" in metrics

    async def test_trusted_proxy_and_direct_client_are_not_reported(self) -> None:
        async with serving(replace(SETTINGS, trusted_proxies=("127.0.0.1",))) as harness:
            await harness.post("/x", {}, {"X-Forwarded-For": "198.51.100.1"})
            await harness.post("/x", {})
            assert harness.state.untrusted_proxy_at is None
