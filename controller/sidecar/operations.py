"""What keeps watch, on the private listener alone: LiveKit's webhook, health, readiness, metrics."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from aiohttp import hdrs, web

from controller.live.webhook import WebhookRefused, hint_of, signed
from controller.sidecar.context import Context
from controller.sidecar.http.body import WEBHOOK_LIMIT, check, read
from controller.sidecar.http.response import Answer, Code, Refusal, retry

TURNS_WITHIN: Final = 60.0
"""A loop that has not turned for so long hangs, in seconds."""

_DONE: Final = b'{"success": true}'
_REFUSED: Final = (Code.UNAUTHORIZED, "the webhook is not signed with the key of this controller")

log = structlog.get_logger()


class Ops:
    """Answers to LiveKit, orchestrator and Prometheus."""

    def __init__(self, context: Context) -> None:
        self._settings, self._known, self._metrics = context.settings, context.known, context.metrics
        self._backstage, self._clock, self._wall = context.backstage, context.clock, context.wall
        self._began = context.clock()
        self._said: set[str] = set()

    async def webhook(self, request: web.BaseRequest) -> Answer:
        """A hint that something happened; nothing depends on it."""
        check(request, WEBHOOK_LIMIT)
        try:
            claims = self._signed(request)  # before the body: whoever signs nothing sends none either
            hint = hint_of(await read(request, WEBHOOK_LIMIT), claims)
        except WebhookRefused as error:
            self._metrics.webhooks.labels("unknown", "refused").inc()
            self._say_refused(str(error))
            raise Refusal(*_REFUSED) from None
        self._metrics.webhooks.labels(hint.event, "taken").inc()
        self._backstage.hint(hint)
        return Answer(_DONE)

    def _signed(self, request: web.BaseRequest) -> Mapping[str, Any]:
        authorization = request.headers.get(hdrs.AUTHORIZATION, "")
        settings = self._settings
        return signed(
            authorization if authorization.isascii() else "",
            settings.livekit_api_key,
            settings.livekit_api_secret,
            self._wall(),
        )

    def _say_refused(self, reason: str) -> None:
        """Once for each reason: a LiveKit with another key goes on sending, and so may anybody."""
        if reason not in self._said:
            self._said.add(reason)
            log.warning("webhook refused", reason=reason)

    async def health(self, _: web.BaseRequest) -> Answer:
        """200 while the loop turns."""
        turned = self._began if self._known.turned is None else self._known.turned
        if self._clock() - turned > TURNS_WITHIN:
            raise retry(Code.UNAVAILABLE, f"the loop has not turned for {TURNS_WITHIN:.0f} seconds", 5)
        return Answer(_DONE)

    async def readiness(self, _: web.BaseRequest) -> Answer:
        """200 while the helpers can answer; the body says what is away."""
        known = self._known
        content = {
            "ready": known.ready(self._clock()),
            "leader": known.leader,
            "livekit": known.livekit.up,
            "mongodb": known.mongodb.up,
        }
        status = HTTPStatus.OK if content["ready"] else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(
            json.dumps(content).encode(), status, more="" if content["ready"] else "Retry-After: 1\r\n"
        )

    async def metrics(self, _: web.BaseRequest) -> Answer:
        """Prometheus' text format; what `Known` says is put into it now, and nowhere else."""
        self._metrics.dependency_up.labels("livekit").set(self._known.livekit.up)
        self._metrics.dependency_up.labels("mongodb").set(self._known.mongodb.up)
        self._metrics.leader.set(self._known.leader)
        return Answer(self._metrics.text(), kind="text/plain; version=0.0.4; charset=utf-8")
