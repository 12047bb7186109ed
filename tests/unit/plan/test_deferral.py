"""What would cut people off waits until they have left."""

from controller.live.room import LiveRoom, Participant
from controller.plan.model import Heal, Observed, Plan, Remove, RoomChange
from controller.plan.planner import make_plan, names_to_check
from controller.plan.render import as_text
from controller.room import Disruption
from tests.support.worlds import desired, live_room, manifest, only, plan_inputs, planned, record

KEEP = record("b", active=False)
WITHOUT_A = desired(manifest("b", active=False))
GONE = record("a", live="x")


def removal(*people: Participant, looked: bool = True) -> Plan:
    live: dict[str, LiveRoom] = {"x": live_room(GONE)}
    records = {room.id: room for room in (GONE, KEEP)}
    return make_plan(Observed(WITHOUT_A, records, live, {"x": people} if looked else {}), plan_inputs())


def test_a_removal_waits_while_somebody_is_inside() -> None:
    change = only(removal(Participant("ann"), Participant("bob")))
    assert (change.deferred, change.participants, change.due) == (True, 2, ())


def test_one_that_nobody_looked_into_may_not_be_empty() -> None:
    assert only(removal(looked=False)).deferred
    assert names_to_check(removal(looked=False)) == {"x"}


def test_hidden_people_count_and_machines_do_not() -> None:
    machines = (Participant("agent-1", kind="AGENT"), Participant("EG_1", kind="EGRESS"))
    assert only(removal(*machines, Participant("rec", recorder=True))).due == (Remove(),)
    assert only(removal(*machines, Participant("SIP", kind="SIP"))).deferred


def test_a_removal_cuts_off_a_stream_and_says_so() -> None:
    stream = Participant("camera", kind="INGRESS")
    plan = removal(stream)
    change = only(plan)
    assert (change.due, change.disruption, change.participants) == ((Remove(),), Disruption.DISCONNECTS, 1)
    assert as_text(plan).splitlines()[0].endswith(" - disconnects 1 ingress")


def test_people_beside_a_stream_are_counted_apart() -> None:
    plan = removal(Participant("camera", kind="INGRESS"), Participant("ann"), Participant("bob"))
    assert only(plan).deferral == "deferred until the room is empty, 2 inside, 1 ingress"
    assert only(plan).participants == 3


def test_a_recreate_waits_for_a_stream() -> None:
    room = record("a", live="x", max_participants=3)
    wanted = desired(manifest("a", max_participants=4))
    live = {"x": live_room(room)}
    people = {"x": (Participant("camera", kind="INGRESS"),)}
    change = only(make_plan(Observed(wanted, {room.id: room}, live, people), plan_inputs()))
    assert (change.deferred, change.deferral) == (True, "deferred until the room is empty, 1 ingress inside")


def test_the_room_is_in_full_service_meanwhile() -> None:
    live = live_room(GONE, metadata="{}")
    change = only(planned(WITHOUT_A, (GONE, KEEP), (live,), {"x": 1}))
    assert [type(action).__name__ for action in change.due] == ["Repair"]


def test_a_room_that_is_gone_holds_nobody() -> None:
    assert only(planned(WITHOUT_A, (GONE, KEEP))).due == (Remove(),)


def test_a_refused_removal_looks_at_nobody_but_for_a_shown_plan() -> None:
    plan = planned(desired(), (GONE,), (live_room(GONE),), {"x": 1})
    assert names_to_check(plan) == frozenset()
    assert names_to_check(plan, everyone=True) == {"x"}


def test_a_shown_plan_counts_the_people_of_every_room_that_changes_and_is_live() -> None:
    room, other = record("a", live="x"), record("b", live="y")
    wanted = desired(manifest("a", allow_chat=True), manifest("b"))
    plan = planned(wanted, (room, other), (live_room(room),), {"x": 3})
    assert [change.participants for change in plan.changes] == [3, 0]
    assert plan.changes[1].actions == (Heal("y"),)
    assert names_to_check(plan) == frozenset()
    assert names_to_check(plan, everyone=True) == {"x"}


def test_who_is_counted_and_not_listed_is_inside() -> None:
    """A Redis that lost its data lists nobody, and LiveKit still counts them."""
    crowded = live_room(GONE, num_participants=2)
    records = {room.id: room for room in (GONE, KEEP)}
    listed = {"recorder": Participant("EG_1", kind="EGRESS"), "crash": Participant("ann", gone=True)}

    def change(*inside: Participant) -> RoomChange:
        observed = Observed(WITHOUT_A, records, {"x": crowded}, {"x": inside})
        return only(make_plan(observed, plan_inputs()))

    assert (change().deferred, change().participants) == (True, 2)
    assert change(listed["recorder"]).deferred
    assert not change(listed["crash"]).deferred, "the number is as old as who is listed"
