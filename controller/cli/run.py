"""roomctl run: the controller and the sidecar, until SIGTERM."""

import asyncio

import uvloop

from controller.cli.flags import with_settings
from controller.service import run as run_app
from controller.settings import Settings, Uses


@with_settings(Uses.ALL, chatty=True)
def run(settings: Settings) -> int:
    """Make the rooms as the manifests say and keep them so, and answer guests, until SIGTERM."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_app(settings))
