"""Events as receivers get them: CloudEvents 1.0 in structured mode, signed as Standard Webhooks. Pure.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from controller.records.events import Event, event_dict
from controller.room import format_time

CONTENT_TYPE: Final = "application/cloudevents+json"
TYPE_PREFIX: Final = "roomctl.room."


def encode_cloud_event(event: Event, instance: str) -> bytes:
    """The body of the request: JSON in UTF-8. `data` is the event as `roomctl events -o json` prints it."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/roomctl/{instance}",
        "type": f"{TYPE_PREFIX}{event.type}",
        "time": format_time(event.at),
        "datacontenttype": "application/json",
    }
    if event.key:
        envelope["subject"] = event.key
    return json.dumps(envelope | {"data": event_dict(event)}, ensure_ascii=False).encode()


def signed_headers(event_id: str, body: bytes, key: bytes, now: float) -> Mapping[str, str]:
    """The headers of the request at `now` (Unix seconds); `key` is the secret without `whsec_`, decoded."""
    timestamp = str(int(now))
    signature = hmac.digest(key, b".".join((event_id.encode(), timestamp.encode(), body)), hashlib.sha256)
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
