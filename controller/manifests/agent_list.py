"""Reads the list of a room's agents from a document, every error with its position and a fix. Pure."""

from collections.abc import Iterator
from typing import Final

from yaml.events import MappingStartEvent, ScalarEvent

from controller.agents import MAX_AGENTS, RULE, AgentJson, read_agent
from controller.manifests.document import Document, Entry, is_null, nested_items, position_of, shown
from controller.manifests.snapshot import SourcePosition
from controller.text import quote_excerpt, suggestion

_KEYS: Final = ("name", "metadata")
_NO_NAME: Final = 'use a name, or "" for the unnamed agent'


def read_agent_list(document: Document, entry: Entry) -> list[AgentJson] | None:
    """The list that is the entry's value as JSON; None if it is null or has an error, added to `document`."""
    value = entry.value
    if isinstance(value, ScalarEvent) and is_null(value):
        return None
    before = len(document.diagnostics)
    read: dict[str, AgentJson] = {}
    for count, item in enumerate(nested_items(document, entry, RULE, ScalarEvent, MappingStartEvent)):
        if count == MAX_AGENTS:
            _wrong(document, _position(item), f"expected at most {MAX_AGENTS} agents; remove some")
            break
        for name, agent in _agent(document, item):
            if name in read:
                _wrong(document, _position(item), f"duplicate agent {quote_excerpt(name)}; remove one")
            read[name] = agent
    return list(read.values()) if len(document.diagnostics) == before else None


def _agent(document: Document, item: ScalarEvent | Document) -> Iterator[tuple[str, AgentJson]]:
    """The agent and its name; nothing if it has an error."""
    before = len(document.diagnostics)
    values = dict(_fields(item)) if isinstance(item, Document) else {"name": item}
    if len(document.diagnostics) > before:
        return
    if "name" not in values or is_null(values["name"]):
        _wrong(document, _position(item), f"an agent has no name; {_NO_NAME}")
        return
    try:
        agent = read_agent({name: each.value for name, each in values.items() if not is_null(each)})
    except ValueError as wrong:
        what = quote_excerpt(values["name"].value)
        _wrong(document, _position(item), f"invalid agent {what}; use {wrong}")
        return
    yield agent.name, agent.as_json()


def _fields(item: Document) -> Iterator[tuple[str, ScalarEvent]]:
    """The fields of an agent that is a mapping."""
    for name, entry in item.entries.items():
        if name not in _KEYS:
            hint = suggestion(name, _KEYS, f"the fields are {', '.join(_KEYS)}")
            _wrong(item, position_of(entry.key), f"unknown field {quote_excerpt(name)}; {hint}")
        elif isinstance(entry.value, ScalarEvent):
            yield name, entry.value
        elif entry.value is not None:
            _wrong(item, position_of(entry.value), f"{name}: expected a string, got {shown(entry.value)}")


def _position(item: ScalarEvent | Document) -> SourcePosition:
    return item.position if isinstance(item, Document) else position_of(item)


def _wrong(document: Document, position: SourcePosition, message: str) -> None:
    document.add(position, f"agents: {message}")
