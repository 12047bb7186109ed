"""controller/docs/access.md#roles-and-rights, cell by cell, and what somebody inside is brought to."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from controller.access.policy import (
    MEDIA_ATTRIBUTE,
    WITHDRAWN,
    Correction,
    Role,
    permission_correction,
    permission_for,
)
from controller.live.room import SOURCES, Participant, Permission, Track
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
    given = permission_correction(inside(role, had), policy(*after))
    assert given == (None if had == should else Correction(should))
    assert permission_correction(inside(role, given.permission if given else had), policy(*after)) is None


WEBINAR = policy(VIDEO_AUDIO, True, True, True)
OPEN = policy(VIDEO_AUDIO, True, True, False)
ALL = Permission(can_publish=True, can_publish_data=True)


def test_the_order_of_sources_is_no_difference() -> None:
    right = permission_for(Role.SPEAKER, OPEN)
    assert permission_correction(inside("speaker", replace(right, sources=right.sources[::-1])), OPEN) is None


def test_no_sources_mean_all_and_are_narrowed() -> None:
    assert permission_correction(inside("speaker", ALL), OPEN) == Correction(
        permission_for(Role.SPEAKER, OPEN)
    )


def test_sources_of_somebody_who_may_not_publish_are_no_difference() -> None:
    mute = replace(permission_for(Role.GUEST, WEBINAR), sources=(CAMERA,))
    assert permission_correction(inside("guest", mute), WEBINAR) is None


@pytest.mark.parametrize("hidden", BOTH)
def test_hidden_stays_what_it_was(hidden: bool) -> None:
    given = permission_correction(inside("guest", replace(ALL, hidden=hidden)), WEBINAR)
    assert given == Correction(Permission(can_publish_data=True, hidden=hidden))


@pytest.mark.parametrize("fields", [{"kind": "AGENT"}, {"kind": "EGRESS"}, {"recorder": True}])
@pytest.mark.parametrize("role", [None, "guest"])
def test_agents_egress_and_recorders_are_left_alone(role: str | None, fields: dict[str, Any]) -> None:
    audio = policy(AUDIO_ONLY, False, False, True)
    assert permission_correction(inside(role, ALL, **fields), audio) is None


class TestWithoutARoleOfOurs:
    @pytest.mark.parametrize("role", [None, "", "admin", "Speaker"])
    def test_nothing_but_the_media_type_counts(self, role: str | None) -> None:
        assert permission_correction(inside(role, ALL), WEBINAR) is None
        assert permission_correction(inside(role, ALL), policy(VIDEO_AUDIO, False, False, True)) is None

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
        given = permission_correction(
            inside(None, replace(ALL, sources=had)), policy(media, False, False, True)
        )
        assert given == Correction(replace(ALL, sources=left))

    def test_who_has_nothing_left_may_not_publish(self) -> None:
        """LiveKit would read no sources as all of them."""
        given = permission_correction(
            inside(None, replace(ALL, sources=(CAMERA,))), policy(AUDIO_ONLY, True, True, False)
        )
        assert given == Correction(replace(ALL, can_publish=False, sources=()))

    def test_nothing_is_ever_added(self) -> None:
        mute = Permission(can_subscribe=False)
        assert permission_correction(inside(None, mute), OPEN) is None
        assert permission_correction(inside(None, replace(mute, can_update_metadata=True)), OPEN) is None


LIES = [
    (AUDIO_ONLY, Track("VIDEO", MICROPHONE)),
    (VIDEO_ONLY, Track("AUDIO", CAMERA)),
    (VIDEO_ONLY, Track("AUDIO", SCREEN)),
]
NOTHING = Permission(can_publish_data=True)


class TestWhoLiesAboutATrack:
    @pytest.mark.parametrize(("media", "track"), LIES)
    @pytest.mark.parametrize("role", ["speaker", "guest", None])
    def test_may_publish_nothing_any_more(self, role: str | None, media: MediaType, track: Track) -> None:
        spec = policy(media, True, True, False)
        right = permission_for(Role.SPEAKER, spec)
        given = permission_correction(inside(role, right, tracks=(track,)), spec)
        assert given == Correction(NOTHING, {MEDIA_ATTRIBUTE: WITHDRAWN})

    @pytest.mark.parametrize("media", [AUDIO_ONLY, VIDEO_ONLY])
    def test_gets_nothing_back_once_the_track_is_gone(self, media: MediaType) -> None:
        """Else it would publish again, and again, between two looks."""
        spec = policy(media, True, True, False)
        assert permission_correction(withdrawn("speaker", NOTHING), spec) is None
        right = permission_for(Role.SPEAKER, spec)
        assert permission_correction(withdrawn("speaker", right), spec) == Correction(NOTHING)

    def test_follows_the_policy_in_all_else(self) -> None:
        quiet = policy(AUDIO_ONLY, True, False, False)
        assert permission_correction(withdrawn("speaker", NOTHING), quiet) == Correction(Permission())

    def test_is_forgiven_when_the_room_carries_everything(self) -> None:
        given = permission_correction(withdrawn("speaker", NOTHING), OPEN)
        assert given == Correction(permission_for(Role.SPEAKER, OPEN), {MEDIA_ATTRIBUTE: ""})

    def test_without_a_role_is_forgiven_and_given_nothing(self) -> None:
        given = permission_correction(withdrawn(None, NOTHING), OPEN)
        assert given == Correction(NOTHING, {MEDIA_ATTRIBUTE: ""})


def withdrawn(role: str | None, permission: Permission) -> Participant:
    someone = inside(role, permission)
    return replace(someone, attributes=someone.attributes | {MEDIA_ATTRIBUTE: WITHDRAWN})


@pytest.mark.parametrize(
    ("before", "after", "track"),
    [
        (VIDEO_AUDIO, AUDIO_ONLY, Track("VIDEO", CAMERA)),
        (VIDEO_AUDIO, VIDEO_ONLY, Track("AUDIO", MICROPHONE)),
        (VIDEO_AUDIO, AUDIO_ONLY, Track("AUDIO", MICROPHONE)),
        (VIDEO_AUDIO, AUDIO_ONLY, Track("DATA", MICROPHONE)),
        (VIDEO_AUDIO, VIDEO_ONLY, Track("VIDEO", SCREEN)),
    ],
)
def test_who_still_publishes_what_was_allowed_before_is_no_liar(
    before: MediaType, after: MediaType, track: Track
) -> None:
    had, should = (permission_for(Role.SPEAKER, policy(m, True, True, False)) for m in (before, after))
    late = inside("speaker", had, tracks=(track,))
    assert permission_correction(late, policy(after, True, True, False)) == Correction(should)


def test_a_webinars_guest_with_rights_of_somebody_elses_hand_is_no_liar() -> None:
    webinar = policy(AUDIO_ONLY, False, False, True)
    guest = inside("guest", ALL, tracks=(Track("VIDEO", MICROPHONE),))
    assert permission_correction(guest, webinar) == Correction(Permission())


def test_where_everything_is_carried_nobody_lies() -> None:
    right = permission_for(Role.SPEAKER, OPEN)
    assert permission_correction(inside("speaker", right, tracks=(Track("VIDEO", MICROPHONE),)), OPEN) is None
