"""apply with a saved plan keeps to it in each round, and after the confirmation."""

from collections.abc import Callable

import pytest

from controller.errors import LiveKitUnavailableError
from controller.live.room import Permission
from controller.one_shot import ApplyReport, _Foreground
from controller.plan.model import Plan
from controller.plan.saved import load, save
from tests.support.inprocess import InProcess
from tests.support.worlds import NOW, STORE, desired, manifest

KEY = b"a key for plans"


@pytest.fixture(name="process")
async def _process() -> InProcess:
    process = InProcess()
    process.manifests = desired(manifest("a"), manifest("b"))
    await process.run_until_stable()
    return process


class Applying:
    """`apply FILE`, with FILE made from the same plan. A failure is mended, and then `between` happens."""

    def __init__(self, process: InProcess, between: Callable[[], None] = lambda: None) -> None:
        self.live, self.between = process.live, between
        self.foreground = _Foreground(process.process, process.store, process.lease, self._progress)

    def _progress(self, key: str, word: str, outcome: str) -> None:
        del key, word
        if outcome != "done":
            self.live.fail.clear()
            self.between()

    async def begin(self) -> Plan:
        self.plan = await self.foreground.plan(None)
        return self.plan

    async def end(self) -> ApplyReport:
        saved = load(save(self.plan, STORE, NOW, KEY).encode(), STORE, KEY)
        return await self.foreground.converge(self.plan, saved)


async def test_whoever_joins_before_the_confirmation_is_not_cut_off(process: InProcess) -> None:
    process.manifests = desired(manifest("a", active=False), manifest("b", allow_chat=True))
    applying = Applying(process)
    await applying.begin()
    process.live.enter(process.name("a"), "ann", Permission())
    report = await applying.end()
    assert [(each.change.key, each.reason) for each in report.left_out] == [
        ("a", "1 participant inside, and the saved plan says 0")
    ]
    assert process.record("a").spec.active
    assert process.record("b").spec.allow_chat


async def test_what_failed_in_one_round_is_completed_in_the_next(process: InProcess) -> None:
    process.manifests = desired(manifest("a", allow_chat=True), manifest("b"))
    applying = Applying(process)
    await applying.begin()
    process.live.fail["update_metadata"] = LiveKitUnavailableError("nobody answers")
    report = await applying.end()
    assert (report.failed, report.left_out) == ({}, ())
    assert not any(change.due for change in (await applying.foreground.plan(None)).changes)


async def test_an_edit_by_somebody_else_between_two_rounds_is_not_overwritten(process: InProcess) -> None:
    process.manifests = desired(manifest("a", allow_chat=True), manifest("b"))
    edited = manifest("a", record=True)

    def edit() -> None:
        room = process.record("a")
        process.store.database.rooms[room.id] = room.with_spec(edited.spec, "a", room.file, room.modified)

    applying = Applying(process, edit)
    await applying.begin()
    process.live.fail["update_metadata"] = LiveKitUnavailableError("nobody answers")
    report = await applying.end()
    assert [(each.change.key, each.reason) for each in report.left_out] == [
        ("a", "the saved plan has another change of this room")
    ]
    assert process.record("a").spec == edited.spec
