"""Who is believed to be LiveKit, and what is taken from it."""

import base64
import hashlib
import json
from typing import Any

import jwt
import pytest

from controller.live.webhook import WebhookEvent, WebhookRejectedError, parse_event, verify_signature
from controller.settings_parsers import ApiKey

KEY, SECRET = "devkey", "a-secret-of-thirty-two-characters"
OLD_KEY, OLD_SECRET = "oldkey", "the-secret-before-the-rotation-xyz"
KEYS = (ApiKey(KEY, SECRET), ApiKey(OLD_KEY, OLD_SECRET))
NOW = 1_800_000_000.0
BODY = json.dumps(
    {
        "event": "participant_joined",
        "id": "EV_1",
        "room": {"name": "a-room", "sid": "RM_1"},
        "participant": {"identity": "ada", "kind": "EGRESS"},
    }
).encode()


def signed(body: bytes = BODY, secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    content = {"iss": KEY, "nbf": NOW, "exp": NOW + 300, "sha256": digest, **claims}
    return jwt.encode({k: v for k, v in content.items() if v is not None}, secret, algorithm)


def check(header: str, body: bytes = BODY, now: float = NOW) -> WebhookEvent:
    return parse_event(body, verify_signature(header, KEYS, now))


def test_a_genuine_webhook_gives_its_hint() -> None:
    assert check(signed()) == WebhookEvent("participant_joined", "EV_1", "a-room", "RM_1", "ada", "EGRESS")


def test_a_webhook_of_the_previous_key_is_accepted_with_its_own_secret_alone() -> None:
    assert check(signed(secret=OLD_SECRET, iss=OLD_KEY)).id == "EV_1"
    for crossed in (signed(secret=OLD_SECRET), signed(iss=OLD_KEY)):
        with pytest.raises(WebhookRejectedError) as refused:
            check(crossed)
        assert refused.value.reason == "key"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "key"),
        (signed(secret="another-secret-of-thirty-two-chars"), "key"),
        (signed(iss="another-key"), "key"),
        (signed(exp=NOW - 61), "time"),
        (signed(nbf=NOW + 61), "time"),
        (signed(exp=None), "time"),
        (signed(BODY + b" "), "body"),
        (signed(sha256=None), "body"),
    ],
)
def test_a_refusal_says_what_is_wrong(header: str, reason: str) -> None:
    with pytest.raises(WebhookRejectedError) as refused:
        check(header)
    assert refused.value.reason == reason


def test_a_participant_without_kind_is_a_standard_one() -> None:
    body = b'{"event": "participant_left", "participant": {"identity": "ada"}}'
    assert check(signed(body), body) == WebhookEvent("participant_left", identity="ada", kind="STANDARD")


@pytest.mark.parametrize("event", ["egress_started", "egress_updated", "egress_ended"])
def test_an_egress_hints_at_its_room_and_tells_nothing_more(event: str) -> None:
    content = {
        "event": event,
        "id": "EV_2",
        "egressInfo": {
            "egressId": "EG_1",
            "roomName": "a-room",
            "status": "EGRESS_FAILED",
            "error": SECRET,
            "roomComposite": {"fileOutputs": [{"s3": {"secret": SECRET}}]},
        },
    }
    body = json.dumps(content).encode()
    hint = check(signed(body), body)
    assert hint == WebhookEvent(event, "EV_2", "a-room")
    assert SECRET not in repr(hint)


def test_fields_of_another_version_are_passed_over() -> None:
    body = b'{"event": 7, "room": "text", "participant": null, "new": {}}'
    assert check(signed(body), body) == WebhookEvent("")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        base64.urlsafe_b64encode(b"[" * 6000).decode() + ".e30.x",
        f"Bearer {signed()}",
        signed(secret="another-secret-of-thirty-two-chars"),
        signed(iss="another-key"),
        signed(iss=None),
        signed(secret=SECRET * 2, algorithm="HS512"),
        jwt.encode({"iss": KEY, "exp": NOW + 300}, None, "none"),
        signed(sha256=None),
        signed(sha256=7),
        signed(sha256="not base64!"),
        signed(sha256=""),
        signed(sha256=hashlib.sha256(BODY).hexdigest()),
        signed(BODY + b" "),
        signed(exp=None),
        signed(exp="later"),
        signed(exp=NOW - 61),
        signed(nbf=NOW + 61),
    ],
)
def test_what_is_not_proven_is_refused(header: str) -> None:
    with pytest.raises(WebhookRejectedError):
        check(header)


@pytest.mark.parametrize("claims", [{"exp": NOW - 59}, {"nbf": NOW + 59}, {"nbf": None}])
def test_clocks_may_differ_by_a_minute(claims: dict[str, Any]) -> None:
    assert check(signed(**claims)).event == "participant_joined"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRejectedError):
        check(signed(body), body)


def test_a_refusal_quotes_neither_token_nor_body() -> None:
    token = signed(BODY + b"x")
    with pytest.raises(WebhookRejectedError) as refused:
        check(token)
    assert token not in str(refused.value)
    assert "a-room" not in str(refused.value)
    assert SECRET not in str(refused.value)
