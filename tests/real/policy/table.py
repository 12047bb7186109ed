"""The table of controller/docs/access.md#roles-and-rights in words of its own, and every policy in it."""

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final

from controller.access.invites import Invite, mint_egress, mint_invite
from controller.access.policy import Role
from controller.records.record import RoomRecord
from controller.room import Join, Purpose, derive_key
from tests.support.controller import Site

MEDIA: Final = ("MEDIA_TYPE_VIDEO_AUDIO", "MEDIA_TYPE_VIDEO_ONLY", "MEDIA_TYPE_AUDIO_ONLY")
ROLES: Final = ("speaker", "guest", "hidden")

CAMERA, MICROPHONE, SCREEN, SCREEN_AUDIO = SOURCES = ("camera", "microphone", "screen", "screen audio")
DATA: Final = "data"


@dataclass(frozen=True, slots=True)
class Policy:
    """What of a room decides about rights."""

    media: str = MEDIA[0]
    webinar: bool = False
    chat: bool = False
    share: bool = False
    join: str = field(default="link", kw_only=True)

    @property
    def manifest(self) -> dict[str, Any]:
        """The fields of a manifest that ask for it."""
        return {
            "mediaType": self.media,
            "allow_webinar_mode": self.webinar,
            "allow_chat": self.chat,
            "allow_share_screen": self.share,
            "join": self.join,
        }

    def __str__(self) -> str:
        words = [self.media.removeprefix("MEDIA_TYPE_").replace("_", "-").lower()]
        flags = {"webinar": self.webinar, "chat": self.chat, "share": self.share}
        flags["invite"] = self.join == "invite"
        return "-".join(words + [word for word, on in flags.items() if on])


POLICIES: Final = tuple(
    Policy(media, *flags) for media in MEDIA for flags in product((False, True), repeat=3)
)


INVITED: Final = tuple(replace(policy, join="invite") for policy in POLICIES)
"""The same in rooms that nobody enters without a proof."""


def rights(role: str, policy: Policy) -> frozenset[str]:
    """What `role` may send under `policy`: controller/docs/access.md#roles-and-rights, row by row.

    How they got in makes no difference.
    """
    guest = role == "guest" and policy.webinar
    speaker = role != "hidden" and not guest
    video, audio = policy.media != "MEDIA_TYPE_AUDIO_ONLY", policy.media != "MEDIA_TYPE_VIDEO_ONLY"
    cells = {
        CAMERA: speaker and video,
        MICROPHONE: speaker and audio,
        SCREEN: speaker and video and policy.share,
        SCREEN_AUDIO: speaker and video and audio and policy.share,
        DATA: policy.chat and role != "hidden",
    }
    return frozenset(right for right, given in cells.items() if given)


def proofs(site: Site, record: RoomRecord, role: str, now: int) -> tuple[dict[str, str], dict[str, Any]]:
    """What somebody sends to be let in as `role`: headers, and fields of the body.

    Where the id is enough, a guest needs no proof, and neither does `hidden` outside webinar mode.
    """
    needs_invite = record.spec.join is Join.INVITE
    if role == "speaker" or (role == "guest" and needs_invite):
        invite = Invite(record.id, Role(role), record.invite_epoch, now + 3600)
        token = mint_invite(invite, derive_key(site.secret, Purpose.INVITE), now)
        return {"Authorization": f"Bearer {token}"}, {}
    if role == "hidden" and not (record.spec.allow_webinar_mode or needs_invite):
        return {}, {"hidden": True}
    if role == "hidden":
        assert record.live is not None
        key = derive_key(site.secret, Purpose.EGRESS)
        token = mint_egress(record.id, record.live.name, key, now)
        return {}, {"hidden": True, "egress_mode_token": token}
    return {}, {}
