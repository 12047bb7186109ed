"""roomctl run: the controller and the sidecar, until SIGTERM."""

import asyncio

import uvloop

from controller.cli.flags import with_settings
from controller.daemon import run as run_app
from controller.logs import get_logger
from controller.settings import USE_S3, SettingGroup, Settings, unused_s3_settings

log = get_logger()


@with_settings(SettingGroup.ALL, chatty=True)
def run(settings: Settings) -> int:
    """Run the controller and its HTTP servers."""
    if unused := unused_s3_settings(settings):
        log.warning("unused S3 settings", settings=", ".join(unused), hint=USE_S3)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_app(settings))
