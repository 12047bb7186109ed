"""run: the controller and the sidecar, until SIGTERM."""

import asyncio
import gc
import os
import resource
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from typing import Any, Final, TypeAlias, TypeVar

from controller.app import ControllerParts, Process, build_controller
from controller.connect import connection, store_access
from controller.errors import StoreError
from controller.events.log import purge_forever
from controller.events.sender import EventSender, Receiver
from controller.live.webhook import WebhookEvent
from controller.logs import get_logger
from controller.manifests.root_limits import RootLimits
from controller.manifests.watch import ManifestWatcher
from controller.reconcile.announcer import Announcer
from controller.reconcile.loop import Loop
from controller.reconcile.takeovers import Takeovers
from controller.reconcile.trackers import PRUNE_GRACE_SECONDS
from controller.reconcile.triggers import Triggers
from controller.reconcile.webhooks import WebhookForwarder
from controller.records import open_lease, open_store
from controller.records.events import Event, EventType
from controller.records.lease import MongoLease
from controller.records.ports import Lease, RecordReader, RoomStore
from controller.records.record_cache import RecordCache
from controller.records.replicas import Replica
from controller.settings import Settings, restore_secret
from controller.sidecar import Context, ReconcilerHandle, Sidecar
from controller.sidecar.http.protocol import MAX_CONNECTIONS
from controller.sidecar.pages.assets import FOLDER as PAGES
from controller.sidecar.pages.assets import install_command, missing_packages

SHUTDOWN_GRACE_SECONDS: Final = 1.0
SHUTDOWN_TIMEOUT_SECONDS: Final = 4.5
"""Seconds for running tasks at the end, and for the whole shutdown."""
RESTART_DELAY_SECONDS: Final = 0.5
"""Seconds before a background task is restarted."""
OTHER_IDS: Final = "new rooms get different ids, and invites need ROOMCTL_SECRET_PREVIOUS"
GC_THRESHOLDS: Final = (50_000, 20, 50)
"""Thresholds of the garbage collector: with ten thousand rooms a full collection takes as long as a pass."""
RESERVED_FILES: Final = 512
"""For rooms.d, LiveKit, MongoDB, and connections that will be refused."""
OPEN_FILES: Final = 2 * MAX_CONNECTIONS + 2 * RESERVED_FILES
"""For two full listeners and all the rest; one listener alone takes the usual limit of 1,024."""

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

log = get_logger()


async def run(settings: Settings) -> int:
    """The controller and the sidecar, until a signal ends them; the exit code.

    Both listeners are bound first. RoomctlError if they, or the embedded store, are not available.
    """
    stop = asyncio.Event()
    gc.set_threshold(*GC_THRESHOLDS)
    max_connections = connections_within(_raise_open_files())
    async with AsyncExitStack() as stack:
        triggers, records = Triggers(), RecordCache()

        def on_unavailable() -> None:
            if process.state.livekit.up:  # the first call that fails: a pass says it at once
                triggers.wake()

        live = await stack.enter_async_context(
            connection(
                settings,
                on_presence_change=triggers.companion_checks.put,
                on_unavailable=on_unavailable,
            )
        )
        process = Process.create(
            settings, live, records, prune_grace_seconds=PRUNE_GRACE_SECONDS, triggers=triggers
        )
        _end_on_signals(stop, process.triggers)
        reconciler_handle = await stack.enter_async_context(_listening(settings, process, max_connections))
        _warn_of_missing_packages()
        store = await _unless(
            stop, stack.enter_async_context(open_store(store_access(settings, "run"), records))
        )
        if store is not None:
            async with process.events.written_to(store):
                await _control(settings, process, store, reconciler_handle, stop)
    log.info("controller stopped")
    return 0


@asynccontextmanager
async def _listening(
    settings: Settings, process: Process, max_connections: int
) -> AsyncIterator[ReconcilerHandle]:
    """Both servers respond; the reconciler's part is set later."""
    handle = ReconcilerHandle(wake=process.triggers.wake)
    state, reader, metrics, events = process.state, process.reader, process.metrics, process.events
    limits = partial(asyncio.to_thread, RootLimits(settings.rooms_dir).read)
    context = Context(settings, state, reader, metrics, events, handle, limits=limits)
    sidecar = Sidecar(context, max_connections)
    async with sidecar.listening():
        log.info(
            "http servers started",
            public_address=str(sidecar.public),
            private_address=str(sidecar.private),
        )
        yield handle


def connections_within(open_files: int) -> int:
    """How many connections each listener accepts, so that file descriptors remain for all the rest."""
    reserved = min(RESERVED_FILES, open_files // 2)
    return max(1, min(MAX_CONNECTIONS, (open_files - reserved) // 2))


def _raise_open_files() -> int:
    """Raise the limit of open files to what is needed, if that is allowed; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < OPEN_FILES:
        log.warning(
            "open file limit too low",
            limit=wanted,
            max_connections=connections_within(wanted),
            hint=f"set it to {OPEN_FILES} (ulimit -n)",
        )
    return wanted


def _warn_of_missing_packages() -> None:
    if missing := missing_packages():
        hint = f"run `{install_command(PAGES)}` and restart the controller"
        log.warning("npm packages missing", packages=missing, hint=hint)


async def _control(
    settings: Settings,
    process: Process,
    store: RoomStore,
    reconciler_handle: ReconcilerHandle,
    stop: asyncio.Event,
) -> None:
    """Reconcile while we hold the lease, be on standby while another does."""
    watch, triggers = ManifestWatcher(settings.rooms_dir, stop), process.triggers
    may_lead = partial(_may_lead, process)
    async with open_lease(store, partial(_on_lease_change, process, stop), may_lead) as lease:
        parts = build_controller(process, store, lease)
        announcer = _announcer(process, parts, store, lease)
        act, instance = parts.reconciler.on_webhook, process.inputs.owner.instance
        want = parts.reconciler.want
        forwarder = WebhookForwarder(act, want, lease, process.state, store.relay, instance=instance)
        loop = Loop(
            parts.reconciler,
            triggers,
            process.state,
            process.metrics,
            process.clock,
            settings.resync_seconds,
            partial(_restart_watch, process, watch),
        )
        takeovers = Takeovers(process.state, process.events, process.clock)
        on_webhook = partial(_to_all, (takeovers.on_webhook, forwarder.on_webhook))
        reconciler_handle.connect(store, on_webhook, forwarder.check_people, forwarder.want)
        works: tuple[Work, ...] = (
            partial(_lead, lease, store, announcer, restore_secret(settings)),
            partial(_announce, store, announcer),
            partial(_watch, watch, triggers),
            partial(_follow, store, process, forwarder),
            store.relay.flush_forever,
            partial(purge_forever, store, lease, process.clock),
            *_senders(settings, process, store, lease),
        )
        background = [asyncio.create_task(_for_ever(work)) for work in works]
        try:
            await _unless(stop, loop.run(stop))  # do not wait for a pass that hangs
        finally:
            reconciler_handle.disconnect()
            triggers.close()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await asyncio.gather(announcer.withdraw(), parts.task_runner.close(SHUTDOWN_GRACE_SECONDS))


def _to_all(listeners: Sequence[Callable[[WebhookEvent], None]], event: WebhookEvent) -> None:
    for listener in listeners:
        listener(event)


def _may_lead(process: Process) -> bool:
    return process.peers.may_lead(process.state.livekit.seen, process.clock.monotonic())


def _announcer(process: Process, parts: ControllerParts, store: RoomStore, lease: MongoLease) -> Announcer:
    now, me = process.clock.wall(), lease.me
    return Announcer(
        Replica(id=me.id, host=me.host, pid=me.pid, release=version("roomctl"), started=now, written=now),
        store.replicas,
        process.peers,
        lease,
        process.state,
        process.clock,
        store,
        lambda: parts.reconciler.desired,
        parts.task_runner.wait_until_idle,
    )


def _senders(settings: Settings, process: Process, store: RoomStore, lease: Lease) -> tuple[Work, ...]:
    """The senders of events, if a receiver is set."""
    if not settings.events_url:
        return ()
    receiver = Receiver(settings.events_url, settings.events_secret, settings.instance)
    return (EventSender(receiver, store.events, lease, process.metrics, process.clock).run,)


def _restart_watch(process: Process, watch: ManifestWatcher) -> None:
    process.metrics.watch_restarts.inc()
    log.warning("manifest watch restarted", reason="missed a change")
    watch.restart()


def _on_lease_change(process: Process, stop: asyncio.Event, leads: bool) -> None:
    process.state.record_leading(leads)
    what, here = "lease acquired" if leads else "lease lost", f"pid {os.getpid()} on {socket.gethostname()}"
    reason = f"{what} by `roomctl run`, {here}"
    process.events.record(Event(at=process.clock.wall(), type=EventType.LEAD, reason=reason))
    if not stop.is_set():
        log.info(what)  # an outage that causes it is a warning
    process.triggers.files_changed()


async def _for_ever(work: Work) -> None:
    """A task that must run as long as the process: a failure is logged, and it restarts."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("background task crashed")
        await asyncio.sleep(RESTART_DELAY_SECONDS)


async def _announce(store: RecordReader, announcer: Announcer) -> None:
    await _until_ours(store)
    await announcer.run_forever()


async def _until_ours(store: RecordReader) -> None:
    """Wait until the database is known to be ours; nothing is written before."""
    while not store.identity.store:
        with suppress(StoreError):  # the loop logs it
            await store.refresh()
            break
        await asyncio.sleep(RESTART_DELAY_SECONDS)


async def _lead(lease: Lease, store: RecordReader, announcer: Announcer, fix: str) -> None:
    """Take the lease whenever it is free; the memory is then read again."""
    await _until_ours(store)
    while True:
        with suppress(StoreError):  # know the other replicas before requesting the lease
            await announcer.announce()
        await lease.acquire(None)
        announcer.peers.start_leading(announcer.clock.monotonic())
        store.invalidate()
        with suppress(StoreError):
            await store.refresh()
        if store.secret_changed:
            log.warning("secret changed", hint=f"{OTHER_IDS}; {fix}")
        await lease.lost.wait()
        announcer.peers.stop_leading()


async def _watch(watch: ManifestWatcher, triggers: Triggers) -> None:
    async for _ in watch:
        triggers.files_changed()


async def _follow(store: RoomStore, process: Process, forwarder: WebhookForwarder) -> None:
    """Wake the loop soon after another process wrote: a room by API, or a live name that guests need.

    Also act on webhooks and demands that others forward, from the first read on.
    """
    while True:
        try:
            if await store.has_remote_changes():
                process.triggers.wake()
            forwarder.forward_received()
        except StoreError as error:
            if process.state.mongodb.up:  # the first call that fails: a pass says it at once
                process.state.mongodb.record_failure(error)
                process.triggers.wake()
        await forwarder.wait_for_next_poll()


T = TypeVar("T")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None if `stop` is set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _end_on_signals(stop: asyncio.Event, triggers: Triggers) -> None:
    """Shut down on SIGTERM, SIGINT and SIGHUP; what hangs is cancelled, which is as safe as a crash."""

    def end() -> None:
        stop.set()
        triggers.wake()
        log.info("controller stopping")
        watchdog = threading.Timer(SHUTDOWN_TIMEOUT_SECONDS, os._exit, (0,))
        watchdog.daemon = True
        watchdog.start()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end)
