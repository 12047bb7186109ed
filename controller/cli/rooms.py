"""The room that a verb is for, and the text if there is none."""

from controller.cli.room_status import select_rooms
from controller.errors import RoomctlError
from controller.plan.unusable import advice
from controller.records.ports import Records
from controller.records.record import RoomRecord
from controller.room import redact_key
from controller.settings import Settings, mongodb_address
from controller.text import quote_excerpt, suggestion


def one_room(records: Records, name: str) -> RoomRecord:
    """The room with this key or id. RoomctlError if there is none, or if its record must not be acted on."""
    matches, _ = select_rooms(records, (name,))
    if matches and (unusable := records.unusable.get(matches[0].id)) is not None:
        raise RoomctlError(f"{redact_key(matches[0].key)}: {advice(unusable)}")
    if matches:
        return matches[0]
    raise RoomctlError(not_found(records, name))


def not_found(records: Records, name: str) -> str:
    """That no room has this key or id, with the nearest key if there is one."""
    keys = [redact_key(record.key) for record in select_rooms(records, ())[0]]
    hint = suggestion(name, keys, "run `roomctl get` to list the rooms")
    return f"room {quote_excerpt(redact_key(name))} not found; {hint}"


def describe_database(settings: Settings) -> str:
    """Where the records are, without credentials."""
    if settings.mongodb_uri:
        return f"database {settings.mongodb_database} at {mongodb_address(settings.mongodb_uri)}"
    return f"embedded store in {settings.data_dir}"
