"""Events as a receiver gets them, checked with the reference implementations of both standards."""

import base64
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook, WebhookVerificationError

from controller.events.cloud import encode_cloud_event, signed_headers
from controller.records.events import Event, event_dict
from tests.support.rooms import NOW, room

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
EVENT = Event(at=NOW, type="update", key="events/a", room_id=room().id, reason="Café", by="api ann")


def read(event: Event) -> Any:
    """The event, by the SDK of CloudEvents."""
    body = encode_cloud_event(event, "default")
    headers = dict(signed_headers(event.id, body, KEY, time.time()))
    return from_structured_event(HTTPMessage(headers, body), JSONFormat())


def test_the_sdk_of_cloudevents_reads_the_event() -> None:
    read_back = read(EVENT)
    assert (read_back.get_id(), read_back.get_source()) == (EVENT.id, "/roomctl/default")
    assert (read_back.get_type(), read_back.get_specversion()) == ("roomctl.room.update", "1.0")
    assert (read_back.get_subject(), read_back.get_time()) == ("events/a", NOW)
    assert read_back.get_data() == event_dict(EVENT)


def test_an_event_about_no_room_has_no_subject() -> None:
    assert "subject" not in json.loads(encode_cloud_event(replace(EVENT, key=None, room_id=None), "default"))


def test_the_library_of_standard_webhooks_accepts_the_signature() -> None:
    body = encode_cloud_event(EVENT, "default")
    headers = dict(signed_headers(EVENT.id, body, KEY, time.time()))
    assert headers["webhook-id"] == EVENT.id
    assert Webhook(SECRET).verify(body, headers) == json.loads(body)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_a_changed_header_is_found(header: str) -> None:
    body = encode_cloud_event(EVENT, "default")
    headers = dict(signed_headers(EVENT.id, body, KEY, time.time()))
    changed = headers | {header: str(int(time.time()) + 1)}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body, changed)


def test_a_changed_body_is_found() -> None:
    body = encode_cloud_event(EVENT, "default")
    headers = dict(signed_headers(EVENT.id, body, KEY, time.time()))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
