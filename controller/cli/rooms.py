"""The one room that a verb is for."""

from controller.cli.room_status import choose
from controller.errors import RoomctlError
from controller.plan.unusable import advice
from controller.records.ports import Records
from controller.records.record import RoomRecord
from controller.room import redact_key
from controller.text import nearest, quoted


def one_room(records: Records, name: str) -> RoomRecord:
    """The room of this key or id. RoomctlError where there is none, with the nearest key that there is.

    And where its record must not be acted on.
    """
    found, _ = choose(records, (name,))
    if found and (unusable := records.unusable.get(found[0].id)) is not None:
        raise RoomctlError(f"{redact_key(found[0].key)}: {advice(unusable)}")
    if found:
        return found[0]
    near = nearest(name, [redact_key(record.key) for record in choose(records, ())[0]])
    mend = f"did you mean {near}?" if near else "`roomctl get` lists the rooms"
    raise RoomctlError(f"there is no room {quoted(redact_key(name))}; {mend}")
