"""Operation, only on the private listener: LiveKit's webhook, health, readiness, metrics."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import hdrs, web
from pydantic import Field

from controller.clock import CLOCK_LIMIT_SECONDS
from controller.live.webhook import WebhookRejectedError, parse_event, verify_signature
from controller.logs import get_logger
from controller.sidecar.context import Context
from controller.sidecar.http.body import MAX_WEBHOOK_BYTES, check, read
from controller.sidecar.http.models import RequestBody, ResponseBody
from controller.sidecar.http.response import ApiError, Code, Response

LIVENESS_TIMEOUT_SECONDS: Final = 60.0
"""Seconds without a pass after which the loop counts as hung."""

_DONE: Final = b'{"success": true}'

log = get_logger()


class WebhookBody(RequestBody):
    """LiveKit's WebhookEvent in JSON."""


class Readiness(ResponseBody):
    """What is available."""

    ready: bool = Field(description="Whether participants can be served.")
    leader: bool = Field(description="Whether this process reconciles.")
    livekit: bool = Field(description="Whether LiveKit answers.")
    mongodb: bool = Field(description="Whether the database answers.")
    clock: bool = Field(description="Whether our clock and LiveKit's are at most 60 s apart.")


class Operations:
    """The handlers for LiveKit, orchestrators and Prometheus."""

    def __init__(self, context: Context) -> None:
        self._settings, self._state, self._metrics = context.settings, context.state, context.metrics
        self._reconciler, self._clock, self._wall = context.reconciler, context.clock, context.wall
        self._began = context.clock()
        self._logged: set[str] = set()

    async def webhook(self, request: web.BaseRequest) -> Response:
        """Receive a webhook from LiveKit.

        LiveKit signs the whole body, which has at most 1 MiB. An event only triggers an earlier check.
        """
        check(request, MAX_WEBHOOK_BYTES)
        try:
            claims = self._signed(request)  # before the body is read: an unsigned one is not read
            event = parse_event(await read(request, MAX_WEBHOOK_BYTES), claims)
        except WebhookRejectedError as error:
            self._metrics.webhooks.labels("unknown", "refused", error.reason).inc()
            self._log_refused(str(error))
            raise ApiError(Code.UNAUTHORIZED, str(error)) from None
        self._metrics.webhooks.labels(event.event, "taken", "").inc()
        self._state.record_webhook(self._clock())
        self._reconciler.on_webhook(event)
        return Response(_DONE)

    def _signed(self, request: web.BaseRequest) -> Mapping[str, Any]:
        authorization = request.headers.get(hdrs.AUTHORIZATION, "")
        keys = self._settings.livekit_keys
        return verify_signature(authorization if authorization.isascii() else "", keys, self._wall())

    def _log_refused(self, reason: str) -> None:
        """Logged once for each reason: a LiveKit with another key keeps sending, and so may others."""
        if reason not in self._logged:
            self._logged.add(reason)
            log.warning("webhook rejected", error=reason)

    async def health(self, _: web.BaseRequest) -> Response:
        """Check whether the process is alive.

        200 while the reconcile loop runs; otherwise restart the process.
        """
        last_pass_at = self._began if self._state.last_pass_at is None else self._state.last_pass_at
        if self._clock() - last_pass_at > LIVENESS_TIMEOUT_SECONDS:
            idle = f"{LIVENESS_TIMEOUT_SECONDS:.0f} seconds"
            raise ApiError(Code.UNAVAILABLE, f"The reconcile loop has not completed a pass for {idle}")
        return Response(_DONE)

    async def readiness(self, _: web.BaseRequest) -> Response:
        """Check whether participants can be served.

        503 before the first full read, and after five minutes without LiveKit or MongoDB.
        """
        state = self._state
        content = Readiness(
            ready=state.is_fresh(self._clock()),
            leader=state.leader,
            livekit=state.livekit.up,
            mongodb=state.mongodb.up,
            clock=abs(state.clock_ahead_s or 0.0) <= CLOCK_LIMIT_SECONDS,
        )
        body = json.dumps(content.model_dump()).encode()
        if content.ready:
            return Response(body)
        return Response(body, HTTPStatus.SERVICE_UNAVAILABLE, more="Retry-After: 1\r\n")

    async def metrics(self, _: web.BaseRequest) -> Response:
        """Metrics for Prometheus.

        All of their names begin with roomctl_.
        """
        for name, server in (("livekit", self._state.livekit), ("mongodb", self._state.mongodb)):
            self._metrics.dependency_up.labels(name).set(server.up)
            if server.seen is not None:
                seen_at = self._wall() - (self._clock() - server.seen)
                self._metrics.dependency_last_success_timestamp_seconds.labels(name).set(seen_at)
        self._metrics.leader.set(self._state.leader)
        self._metrics.manifests_withheld.set(self._state.manifests_withheld)
        self._metrics.clock_difference_seconds.set(self._state.clock_ahead_s or 0.0)
        return Response(self._metrics.text(), kind="text/plain; version=0.0.4; charset=utf-8")
