"""Stage 1: the record of each manifest; new, missing, conflicting ones (docs/manifests.md#keys-and-ids)."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from controller.manifests.folder_policy import is_policy
from controller.manifests.snapshot import Desired, ManifestError, ManifestRoom, RoomsDirState
from controller.records.record import Origin, RoomRecord
from controller.room import redact_key, room_id


@dataclass(frozen=True, slots=True)
class Match:
    """A manifest and its record: None for a new room, a tombstone for a restored one."""

    manifest: ManifestRoom
    id: str
    record: RoomRecord | None


@dataclass(frozen=True, slots=True)
class Matching:
    """The result of stage 1.

    `untouched`: records without a manifest now: made by API, in error, or the rooms directory is missing.
    `stale`: by key, the error that keeps a record at its last valid spec. `gone`: their manifest is missing.
    `blocked`: an error belongs to no known room, so nothing may be removed.
    """

    matches: tuple[Match, ...] = ()
    untouched: tuple[RoomRecord, ...] = ()
    gone: tuple[RoomRecord, ...] = ()
    stale: Mapping[str, ManifestError] = field(default_factory=dict)
    errors: tuple[ManifestError, ...] = ()
    blocked: bool = False


def match(
    desired: Desired,
    records: Mapping[str, RoomRecord],
    id_key: bytes,
    withheld: Collection[RoomRecord] = (),
) -> Matching:
    """Match by key; a new key by its id, if that record's manifest is gone. A pinned id may be an API room's.

    `withheld` are records for which nothing is planned; an error may belong to one of them.
    """
    if desired.state in (RoomsDirState.MISSING, RoomsDirState.UNREADABLE, RoomsDirState.WITHHELD):
        return Matching(untouched=tuple(r for r in records.values() if not r.removed), errors=desired.errors)
    by_key = {record.key: record for record in records.values()}
    spoken_for = _spoken_for(desired.errors, records.values())
    held = _Holders(by_key, records, desired.rooms.keys() | spoken_for.keys())
    outcomes = [_match_one(manifest, held, id_key) for manifest in desired.rooms.values()]
    matches = [outcome for outcome in outcomes if isinstance(outcome, Match)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, ManifestError)]
    matching = _to_matching(desired, records, matches, refused, spoken_for)
    return replace(matching, blocked=_is_blocked(matching, withheld))


def _is_blocked(matching: Matching, withheld: Collection[RoomRecord]) -> bool:
    """Whether an error belongs to no known room. A policy file describes no room."""
    errors = [error for error in matching.errors if not is_policy(error.file)]
    if not errors:
        return False
    rest = [*matching.untouched, *matching.gone, *(r for r in withheld if not r.removed)]
    keys = {record.key for record in rest if record.origin is Origin.MANIFEST}
    files = {path for record in rest for path in _paths(record)}
    return any(e.file not in files if e.key is None else e.key not in keys for e in errors)


@dataclass(frozen=True, slots=True)
class _Holders:
    """The records by key and id; `present` are the keys of all manifests, valid or not."""

    by_key: Mapping[str, RoomRecord]
    by_id: Mapping[str, RoomRecord]
    present: AbstractSet[str]


def _match_one(manifest: ManifestRoom, held: _Holders, id_key: bytes) -> Match | ManifestError:
    record = held.by_key.get(manifest.key)
    if record is not None and manifest.pinned_id in (None, record.id):
        return Match(manifest, record.id, record)
    if record is not None:
        return _id_error(
            manifest,
            f"the room {manifest.key} already has a different id, and a room's id never changes; "
            "write it under a new key, or remove `id:`",
        )
    wanted = manifest.pinned_id or room_id(manifest.key, id_key)
    holder = held.by_id.get(wanted)
    if holder is None:
        return Match(manifest, wanted, None)
    is_pinned_api_room = holder.origin is Origin.API and not holder.removed and manifest.pinned_id is not None
    orphaned = holder.origin is Origin.MANIFEST and holder.key not in held.present
    if orphaned or is_pinned_api_room:
        return Match(manifest, wanted, holder)
    return _id_error(manifest, f"already used by {_owner(holder)}; set a different `id:`")


def _id_error(manifest: ManifestRoom, text: str) -> ManifestError:
    position = manifest.id_position or manifest.position
    return ManifestError(manifest.file, f"id: {text}", position, manifest.key)


def _owner(holder: RoomRecord) -> str:
    if holder.removed:
        return "a room that was removed less than an hour ago"
    key = redact_key(holder.key)
    return f"the room {key} ({holder.file})" if holder.file else f"the room {key}"


def _spoken_for(errors: Collection[ManifestError], records: Iterable[RoomRecord]) -> dict[str, ManifestError]:
    """By key, the first error that belongs to a room."""
    if not errors:
        return {}
    by_file: dict[str, list[str]] = {}
    for record in records:
        for path in _paths(record) if not record.removed else ():
            by_file.setdefault(path, []).append(record.key)
    spoken_for: dict[str, ManifestError] = {}
    for error in errors:
        for key in by_file.get(error.file, ()) if error.key is None else (error.key,):
            spoken_for.setdefault(key, error)
    return spoken_for


def _paths(record: RoomRecord) -> tuple[str, ...]:
    """The record's file and the folders above it: an error of a folder belongs to all files in it."""
    parts = record.file.split("/") if record.file is not None else []
    return tuple("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _to_matching(
    desired: Desired,
    records: Mapping[str, RoomRecord],
    matches: list[Match],
    refused: list[ManifestError],
    stale: dict[str, ManifestError],
) -> Matching:
    good, twice = _without_shared_ids(matches)
    refused = [*refused, *twice]
    stale = {error.key: error for error in refused if error.key is not None} | stale
    matched = {matched.record.id for matched in good if matched.record is not None}
    rest = [r for r in records.values() if r.id not in matched and not r.removed]
    gone = [r for r in rest if r.origin is Origin.MANIFEST and r.key not in stale]
    kept = {record.id for record in gone}
    on_record = {record.key for record in rest if record.origin is Origin.MANIFEST}
    return Matching(
        matches=tuple(good),
        untouched=tuple(r for r in rest if r.id not in kept),
        gone=tuple(gone),
        stale={key: error for key, error in stale.items() if key in on_record},
        errors=(*desired.errors, *refused),
    )


def _without_shared_ids(matches: list[Match]) -> tuple[list[Match], list[ManifestError]]:
    """If two manifests have the same id (one pins what the other derives), neither is applied."""
    if len({matched.id for matched in matches}) == len(matches):
        return matches, []
    owners: dict[str, list[Match]] = {}
    for matched in matches:
        owners.setdefault(matched.id, []).append(matched)
    shared = {room: group for room, group in owners.items() if len(group) > 1}
    errors = [
        _id_error(
            matched.manifest,
            f"{', '.join(sorted(o.manifest.key for o in group))} have the same id; "
            "set a different `id:` on one of them",
        )
        for group in shared.values()
        for matched in group
    ]
    return [matched for matched in matches if matched.id not in shared], errors
