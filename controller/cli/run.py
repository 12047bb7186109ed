"""roomctl run: the controller and the sidecar, until SIGTERM."""

import asyncio

import structlog
import uvloop

from controller.cli.flags import with_settings
from controller.daemon import run as run_app
from controller.settings import USE_S3, SettingGroup, Settings, unused_s3_settings

log = structlog.get_logger()


@with_settings(SettingGroup.ALL, chatty=True)
def run(settings: Settings) -> int:
    """Make the rooms as the manifests say and keep them so, and answer guests, until SIGTERM."""
    if unused := unused_s3_settings(settings):
        log.warning("recordings do not go to S3", unused=", ".join(unused), mend=USE_S3)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_app(settings))
