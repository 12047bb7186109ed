"""Who should lead, and whose manifests may be followed: decided from what replicas say of themselves."""

from datetime import timedelta

import pytest

from controller.reconcile.peers import Peers, is_away
from controller.records.replicas import Replica
from tests.support.worlds import NOW


def replica(
    number: int = 1, *, revision: str = "a", livekit_age_s: float | None = 0.5, written: float = 0.0
) -> Replica:
    return Replica(
        id="other",
        host="h",
        pid=1,
        started=NOW,
        written=NOW + timedelta(seconds=written),
        number=number,
        revision=revision,
        livekit_age_s=livekit_age_s,
    )


def peers_at(*others: Replica, now: float = 100.0) -> Peers:
    peers = Peers()
    peers.observe(others, now, NOW)
    return peers


def test_holder_without_livekit_gives_way_to_a_candidate_that_sees_it() -> None:
    peers = peers_at(replica())
    assert peers.should_give_way(livekit_seen=84.0, now=100.0)
    assert not peers.should_give_way(livekit_seen=86.0, now=100.0)


@pytest.mark.parametrize("age", [None, 5.1, 60.0])
def test_holder_keeps_the_lease_while_no_candidate_sees_livekit(age: float | None) -> None:
    assert not peers_at(replica(livekit_age_s=age)).should_give_way(livekit_seen=10.0, now=100.0)


def test_holder_keeps_the_lease_while_it_is_alone() -> None:
    assert not peers_at().should_give_way(livekit_seen=None, now=100.0)


def test_candidate_whose_number_stands_still_is_dead() -> None:
    peers = peers_at(replica(7))
    peers.observe([replica(7)], 107.0, NOW)
    assert not peers.should_give_way(livekit_seen=None, now=107.0)
    peers.observe([replica(8)], 108.0, NOW)
    assert peers.should_give_way(livekit_seen=None, now=108.0)


def test_document_of_a_replica_that_was_killed_long_ago_counts_as_old() -> None:
    peers = peers_at(replica(written=-3600.0))
    assert not peers.should_give_way(livekit_seen=None, now=100.0)


def test_clock_of_another_host_that_is_ahead_makes_nothing_older() -> None:
    assert peers_at(replica(written=3600.0)).should_give_way(livekit_seen=None, now=100.0)


def test_candidate_without_livekit_takes_no_lease_while_another_sees_it() -> None:
    peers = peers_at(replica())
    assert not peers.may_lead(livekit_seen=None, now=100.0)
    assert peers.may_lead(livekit_seen=99.0, now=100.0)
    assert peers_at(replica(livekit_age_s=None)).may_lead(livekit_seen=None, now=100.0)


def new_holder(own: str, *others: Replica) -> Peers:
    peers = peers_at(*others)
    peers.observe_revision(own, 100.0)
    peers.start_leading(100.0)
    return peers


def test_new_holder_with_another_revision_follows_no_manifest() -> None:
    other = new_holder("b", replica(revision="a")).other_revision(101.0)
    assert other is not None
    assert other.revision == "a"


def test_equal_revisions_are_followed() -> None:
    assert new_holder("a", replica(revision="a")).other_revision(101.0) is None


def test_holder_of_five_minutes_follows_its_own_manifests() -> None:
    peers = new_holder("b", replica(revision="a"))
    peers.observe([replica(2, revision="a")], 399.0, NOW)
    assert peers.other_revision(399.9) is not None
    assert peers.other_revision(400.0) is None


def test_document_older_than_five_minutes_does_not_count() -> None:
    assert new_holder("b", replica(revision="a", written=-301.0)).other_revision(101.0) is None
    assert new_holder("b", replica(revision="a", written=-299.0)).other_revision(100.5) is not None


def test_replica_that_saw_its_own_manifests_change_has_the_newer_ones() -> None:
    peers = new_holder("a", replica(revision="a"))
    peers.observe_revision("b", 110.0)
    assert peers.other_revision(111.0) is None


def test_manifests_that_the_other_changed_last_are_not_ours() -> None:
    peers = new_holder("a", replica(revision="a"))
    peers.observe_revision("b", 110.0)
    peers.observe([replica(2, revision="c")], 112.0, NOW)
    assert peers.other_revision(113.0) is not None


def test_replica_that_has_read_no_manifests_yet_differs_from_nobody() -> None:
    assert new_holder("a", replica(revision="")).other_revision(101.0) is None


def test_candidate_is_not_asked() -> None:
    peers = new_holder("b", replica(revision="a"))
    peers.stop_leading()
    assert peers.other_revision(101.0) is None


def test_livekit_is_away_after_fifteen_seconds_without_a_list() -> None:
    assert is_away(None, 0.0)
    assert is_away(84.9, 100.0)
    assert not is_away(85.0, 100.0)
