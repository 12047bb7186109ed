"""A LiveKit agent as users write one: it joins, and says which process it is. agents.py runs it."""

import os
import sys

from livekit.agents import JobContext, WorkerOptions, cli


async def entrypoint(job: JobContext) -> None:
    await job.connect()
    sys.stdout.write(f"JOB {job.room.name} {os.getpid()} {job.job.metadata}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    cli.run_app(
        WorkerOptions(
            entrypoint_fnc=entrypoint,
            agent_name=os.environ["AGENT_NAME"],
            load_fnc=lambda *_: 0.0,  # a worker on a busy machine takes no job
            num_idle_processes=1,
            host="127.0.0.1",
            port=0,
        )
    )
