"""The settings for recordings."""

from dataclasses import dataclass, field
from datetime import timedelta

from controller.live.egress import S3Access
from controller.recording_output import RecordingOutput
from controller.settings import Settings


@dataclass(frozen=True, slots=True)
class RecordingConfig:
    """How rooms are recorded. `output` None: not at all. A worker reaches our pages at `page_url`."""

    output: RecordingOutput | None = None
    idle: timedelta = timedelta(seconds=60)
    preset: str = "H264_720P_30"
    page_url: str = ""
    s3: S3Access = field(default_factory=S3Access)

    @classmethod
    def from_settings(cls, settings: Settings) -> "RecordingConfig":
        return cls(
            output=settings.recording_output,
            idle=timedelta(seconds=settings.recording_idle_seconds),
            preset=settings.recording_preset,
            page_url=settings.recording_page_url,
            s3=S3Access(
                settings.recording_s3_endpoint,
                settings.recording_s3_region,
                settings.recording_s3_access_key,
                settings.recording_s3_secret,
            ),
        )
