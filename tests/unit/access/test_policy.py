"""Contract 7's table, cell by cell, and what somebody inside is brought to."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from controller.access.policy import SOURCES, Role, corrected, permission_for
from controller.live.room import Participant, Permission
from controller.room import MediaType, RoomSpec

CAMERA, MICROPHONE, SCREEN, SCREEN_AUDIO = SOURCES
VIDEO_AUDIO, VIDEO_ONLY, AUDIO_ONLY = MediaType.VIDEO_AUDIO, MediaType.VIDEO_ONLY, MediaType.AUDIO_ONLY
BOTH = (False, True)

SPEAKER_SOURCES = {
    (VIDEO_AUDIO, False): (CAMERA, MICROPHONE),
    (VIDEO_AUDIO, True): (CAMERA, MICROPHONE, SCREEN, SCREEN_AUDIO),
    (VIDEO_ONLY, False): (CAMERA,),
    (VIDEO_ONLY, True): (CAMERA, SCREEN),
    (AUDIO_ONLY, False): (MICROPHONE,),
    (AUDIO_ONLY, True): (MICROPHONE,),
}
POLICIES = list(product(MediaType, BOTH, BOTH, BOTH))


def policy(media: MediaType, screen: bool, chat: bool, webinar: bool) -> RoomSpec:
    return RoomSpec(
        name="Room",
        max_participants=9,
        mediaType=media,
        allow_share_screen=screen,
        allow_chat=chat,
        allow_webinar_mode=webinar,
    )


@pytest.mark.parametrize(("media", "screen", "chat", "webinar"), POLICIES)
def test_a_speaker_publishes_what_the_room_carries(
    media: MediaType, screen: bool, chat: bool, webinar: bool
) -> None:
    may = permission_for(Role.SPEAKER, policy(media, screen, chat, webinar))
    assert may == Permission(
        can_subscribe=True,
        can_publish=True,
        can_publish_data=chat,
        sources=SPEAKER_SOURCES[media, screen],
        hidden=False,
        can_update_metadata=False,
    )


@pytest.mark.parametrize(("media", "screen", "chat", "webinar"), POLICIES)
def test_a_guest_only_listens_in_webinar_mode_and_is_a_speaker_outside(
    media: MediaType, screen: bool, chat: bool, webinar: bool
) -> None:
    spec = policy(media, screen, chat, webinar)
    listens = Permission(can_subscribe=True, can_publish=False, can_publish_data=chat, sources=())
    assert permission_for(Role.GUEST, spec) == (listens if webinar else permission_for(Role.SPEAKER, spec))


@pytest.mark.parametrize(("media", "screen", "chat", "webinar"), POLICIES)
def test_a_hidden_one_only_listens(media: MediaType, screen: bool, chat: bool, webinar: bool) -> None:
    assert permission_for(Role.HIDDEN, policy(media, screen, chat, webinar)) == Permission(hidden=True)


def inside(role: str | None, permission: Permission, **fields: Any) -> Participant:
    attributes = {} if role is None else {"role": role}
    return replace(Participant("jane", permission=permission, attributes=attributes), **fields)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("before", "after"), list(product(POLICIES[::3], POLICIES[1::5])))
def test_a_changed_policy_reaches_who_is_inside(
    role: Role, before: tuple[MediaType, bool, bool, bool], after: tuple[MediaType, bool, bool, bool]
) -> None:
    had, should = (permission_for(role, policy(*p)) for p in (before, after))
    given = corrected(inside(role, had), policy(*after))
    assert given == (None if had == should else should)
    assert corrected(inside(role, given or had), policy(*after)) is None


WEBINAR = policy(VIDEO_AUDIO, True, True, True)
OPEN = policy(VIDEO_AUDIO, True, True, False)
ALL = Permission(can_publish=True, can_publish_data=True)


def test_the_order_of_sources_is_no_difference() -> None:
    right = permission_for(Role.SPEAKER, OPEN)
    assert corrected(inside("speaker", replace(right, sources=right.sources[::-1])), OPEN) is None


def test_no_sources_mean_all_and_are_narrowed() -> None:
    assert corrected(inside("speaker", ALL), OPEN) == permission_for(Role.SPEAKER, OPEN)


def test_sources_of_somebody_who_may_not_publish_are_no_difference() -> None:
    mute = replace(permission_for(Role.GUEST, WEBINAR), sources=(CAMERA,))
    assert corrected(inside("guest", mute), WEBINAR) is None


@pytest.mark.parametrize("hidden", BOTH)
def test_hidden_stays_what_it_was(hidden: bool) -> None:
    given = corrected(inside("guest", replace(ALL, hidden=hidden)), WEBINAR)
    assert given == Permission(can_publish_data=True, hidden=hidden)


@pytest.mark.parametrize("fields", [{"kind": "AGENT"}, {"kind": "EGRESS"}, {"recorder": True}])
@pytest.mark.parametrize("role", [None, "guest"])
def test_agents_egress_and_recorders_are_left_alone(role: str | None, fields: dict[str, Any]) -> None:
    audio = policy(AUDIO_ONLY, False, False, True)
    assert corrected(inside(role, ALL, **fields), audio) is None


class TestWithoutARoleOfOurs:
    @pytest.mark.parametrize("role", [None, "", "admin", "Speaker"])
    def test_nothing_but_the_media_type_counts(self, role: str | None) -> None:
        assert corrected(inside(role, ALL), WEBINAR) is None
        assert corrected(inside(role, ALL), policy(VIDEO_AUDIO, False, False, True)) is None

    @pytest.mark.parametrize(
        ("media", "had", "left"),
        [
            (AUDIO_ONLY, (), (MICROPHONE,)),
            (AUDIO_ONLY, (SCREEN_AUDIO, MICROPHONE, CAMERA), (MICROPHONE,)),
            (VIDEO_ONLY, (), (CAMERA, SCREEN)),
            (VIDEO_ONLY, (MICROPHONE, SCREEN), (SCREEN,)),
        ],
    )
    def test_sources_are_narrowed(
        self, media: MediaType, had: tuple[str, ...], left: tuple[str, ...]
    ) -> None:
        given = corrected(inside(None, replace(ALL, sources=had)), policy(media, False, False, True))
        assert given == replace(ALL, sources=left)

    def test_who_has_nothing_left_may_not_publish(self) -> None:
        """LiveKit would read no sources as all of them."""
        given = corrected(
            inside(None, replace(ALL, sources=(CAMERA,))), policy(AUDIO_ONLY, True, True, False)
        )
        assert given == replace(ALL, can_publish=False, sources=())

    def test_nothing_is_ever_added(self) -> None:
        mute = Permission(can_subscribe=False)
        assert corrected(inside(None, mute), OPEN) is None
        assert corrected(inside(None, replace(mute, can_update_metadata=True)), OPEN) is None
