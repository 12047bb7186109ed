"""Housekeeping that no user of a room sees: tombstones, retired names, orphans, looks at who is inside."""

from collections.abc import Iterator
from datetime import timedelta

from controller.access.invites import INVITE_AT_MOST
from controller.plan.matching import Matching
from controller.plan.model import Bury, Chore, DropOrphan, Enforce, Forget, Observed, Rules, TakeDown, Tidy
from controller.records.record import TOMBSTONE_TTL, Origin, RoomRecord

LOOK_MARGIN = timedelta(seconds=60)
"""How long after the last old token could have been used the people inside are still looked at."""


def chores(observed: Observed, rules: Rules, matching: Matching, orphans: frozenset[str]) -> Iterator[Chore]:
    """All of it, in the order of the records."""
    revived = {found.record.id for found in matching.matches if found.record is not None}
    for record in observed.records.values():
        if record.removed and record.id not in revived:
            yield from _of_tombstone(record, observed, rules)
        elif record.retired:
            yield from _tidy(record, observed, rules)
        if _to_enforce(record, observed, rules):
            yield Enforce(record)
    yield from (DropOrphan(name) for name in sorted(orphans & rules.ripe_orphans))


def _of_tombstone(record: RoomRecord, observed: Observed, rules: Rules) -> Iterator[Chore]:
    if _stands(record):
        yield TakeDown(record)
        return
    listed = sorted({old.name for old in record.retired} & observed.live.keys())
    yield from (Bury(record, name) for name in listed)
    unsettled = listed or record.recording is not None
    if not unsettled and record.removed_at is not None and rules.now - record.removed_at >= _life(record):
        yield Forget(record)


def _life(record: RoomRecord) -> timedelta:
    """For how long a tombstone stays: where invites were revoked, until none of them could come back to life.

    A manifest that comes back has its room's id again; without the tombstone its epoch would begin anew.
    """
    revoked = record.origin is Origin.MANIFEST and record.invite_epoch
    return timedelta(seconds=INVITE_AT_MOST) if revoked else TOMBSTONE_TTL


def _stands(record: RoomRecord) -> bool:
    """Whether its live side is still to go: the API marks a room removed, and we say when that is so."""
    unsaid = record.status.observed_generation < record.generation
    return record.live is not None or (record.origin is Origin.API and unsaid)


def _tidy(record: RoomRecord, observed: Observed, rules: Rules) -> Iterator[Chore]:
    old = frozenset(
        retired.name
        for retired in record.retired
        if rules.now - retired.at >= TOMBSTONE_TTL and retired.name not in observed.live
    )
    if old:
        yield Tidy(record, old)


def _to_enforce(record: RoomRecord, observed: Observed, rules: Rules) -> bool:
    """Whether somebody inside, or still to come with an older token, may hold rights of an older policy."""
    if record.generation == 1 or not record.should_be_live:
        return False
    if record.live is None or record.live.name not in observed.live:
        return False
    recent = rules.now - record.modified <= timedelta(seconds=rules.token_ttl) + LOOK_MARGIN
    return recent or record.status.observed_generation < record.generation
