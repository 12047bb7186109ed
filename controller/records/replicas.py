"""What each `roomctl run` on a database says of itself: who could lead, and what it sees.

Ages are seconds by the writer's own clock, counted when it wrote: the clocks of two hosts may differ.
"""

from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from controller.git import Commit

FORGET_AFTER: Final = timedelta(hours=1)
"""A replica that has written nothing for so long was killed, and its document is dropped."""


class Replica(BaseModel):
    """One replica. What a newer release adds is ignored, what an older one lacks has its default.

    `number` is raised by each write. `revision` is of the manifests as it read them last ('': not yet).
    `rooms_dir` is ok, empty, missing or unreadable; `rooms_dir_problem` says why it cannot be read.
    `manifests_withheld`: it follows no manifests, because another replica may have newer ones.
    `livekit_age_s` and `webhook_age_s` count from the last good ListRooms and the last verified webhook
    (None: none so far). `clock_ahead_s`: how far its clock is ahead of LiveKit's, None where unknown.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    host: str
    pid: int
    verb: str = "run"
    release: str = ""
    started: datetime
    written: datetime
    number: int = 0
    revision: str = ""
    commit: Commit | None = None
    rooms_dir: str = "ok"
    rooms_dir_problem: str = ""
    manifests_withheld: bool = False
    livekit_age_s: float | None = None
    livekit_error: str = ""
    clock_ahead_s: float | None = None
    webhook_age_s: float | None = None

    def aged(self, age_s: float | None, now: datetime) -> float | None:
        """One of its ages, as it is at `now` by the reader's clock."""
        return None if age_s is None else age_s + max(0.0, (now - self.written).total_seconds())

    def __str__(self) -> str:
        return f"`roomctl {self.verb}`, pid {self.pid} on {self.host}"
