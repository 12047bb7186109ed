"""The agents of a room as its spec names them: LiveKit's agents, programs that join a room. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

MAX_AGENTS: Final = 8
MAX_NAME_LENGTH: Final = 128
MAX_METADATA_LENGTH: Final = 4_096
NO_AGENT: Final = "roomctl-none"
"""A name that no worker has: a LiveKit room that is created with it gets no agent by itself."""

RULE: Final = (
    f"a list of at most {MAX_AGENTS} agents, each a name of at most {MAX_NAME_LENGTH} characters or "
    "{name, metadata}, and each name once"
)
AGENT_RULE: Final = f"a name of at most {MAX_NAME_LENGTH} characters, or a mapping with name and metadata"
_NAME: Final = {"type": "string", "maxLength": MAX_NAME_LENGTH, "not": {"const": NO_AGENT}}
_METADATA: Final = {"type": "string", "maxLength": MAX_METADATA_LENGTH}
SCHEMA: Final = {
    "type": "array",
    "maxItems": MAX_AGENTS,
    "items": {
        "anyOf": [
            _NAME,
            {
                "type": "object",
                "properties": {"name": _NAME, "metadata": _METADATA},
                "required": ["name"],
                "additionalProperties": False,
            },
        ]
    },
}
"""JSON Schema of the list; it cannot say that each name is there once."""

AgentJson: TypeAlias = str | dict[str, str]


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent of a room. `name` is that of LiveKit's workers, '' the unnamed one's.

    `metadata` is what the agent's job gets.
    """

    name: str
    metadata: str = ""

    def as_json(self) -> AgentJson:
        """The name alone if there is nothing else."""
        return {"name": self.name, "metadata": self.metadata} if self.metadata else self.name


def read_agent(value: Any) -> Agent:
    """The agent of a JSON value. ValueError says what it must be: a noun phrase."""
    if isinstance(value, Agent):
        return value
    fields = {"name": value} if isinstance(value, str) else value
    if not isinstance(fields, dict) or not {"name"} <= fields.keys() <= {"name", "metadata"}:
        raise ValueError(AGENT_RULE)
    agent = Agent(**fields)
    if not _is_text(agent.name, MAX_NAME_LENGTH) or agent.name == NO_AGENT:
        raise ValueError(f"a name of at most {MAX_NAME_LENGTH} printable characters other than {NO_AGENT}")
    if not isinstance(agent.metadata, str) or len(agent.metadata) > MAX_METADATA_LENGTH:
        raise ValueError(f"metadata of at most {MAX_METADATA_LENGTH} characters")
    return agent


def read_agents(value: Any) -> tuple[Agent, ...]:
    """The agents of a JSON list, in their order. ValueError says what it must be: a noun phrase."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > MAX_AGENTS:
        raise ValueError(RULE)
    agents = tuple(map(read_agent, value))
    if len({agent.name for agent in agents}) < len(agents):
        raise ValueError("each name once")
    return agents


def _is_text(value: Any, length: int) -> bool:
    return isinstance(value, str) and len(value) <= length and (value.isprintable() or not value)
