"""The one room that a verb is for."""

from controller.cli.room_status import select_rooms
from controller.errors import RoomctlError
from controller.plan.unusable import advice
from controller.records.ports import Records
from controller.records.record import RoomRecord
from controller.room import redact_key
from controller.text import closest_match, quote_excerpt


def one_room(records: Records, name: str) -> RoomRecord:
    """The room of this key or id. RoomctlError where there is none, with the nearest key that there is.

    And where its record must not be acted on.
    """
    matches, _ = select_rooms(records, (name,))
    if matches and (unusable := records.unusable.get(matches[0].id)) is not None:
        raise RoomctlError(f"{redact_key(matches[0].key)}: {advice(unusable)}")
    if matches:
        return matches[0]
    near = closest_match(name, [redact_key(record.key) for record in select_rooms(records, ())[0]])
    mend = f"did you mean {near}?" if near else "`roomctl get` lists the rooms"
    raise RoomctlError(f"there is no room {quote_excerpt(redact_key(name))}; {mend}")
