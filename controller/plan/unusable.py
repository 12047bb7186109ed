"""Records that this release must not act on: their manifests, and how to restore them. Pure."""

from collections.abc import Iterator, Mapping

from controller.manifests.snapshot import ManifestRoom
from controller.plan.model import Observed, RestoreRecord
from controller.room import redact_key, room_id


def claims(observed: Observed, id_key: bytes) -> dict[str, ManifestRoom]:
    """The manifests of unusable records, by the record's id: nothing else is planned for them."""
    if not observed.unusable:
        return {}
    ids = {each.record.key: room_id for room_id, each in observed.unusable.items()}
    rooms = observed.desired.rooms.values()
    owned = ((ids.get(m.key) or m.pinned_id or room_id(m.key, id_key), m) for m in rooms)
    return {owner: manifest for owner, manifest in owned if owner in observed.unusable}


def restorations(observed: Observed, claimed: Mapping[str, ManifestRoom]) -> Iterator[RestoreRecord]:
    """The damaged records that can be written again; a manifest with another pinned `id:` is not used."""
    for owner, each in observed.unusable.items():
        manifest = claimed.get(owner)
        if not each.is_restorable:
            continue
        if not each.needs_manifest:
            yield RestoreRecord(each, None)
        elif manifest is not None and manifest.pinned_id in (None, owner):
            yield RestoreRecord(each, manifest)


def notes(observed: Observed, restored: Mapping[str, RestoreRecord]) -> Iterator[str]:
    """A line for each record that is not restored."""
    for owner, each in observed.unusable.items():
        if owner not in restored:
            yield f"{redact_key(each.record.key)}: {each.advice}"
