"""Two manifests must not be one room: of those that claim one key or one id neither is applied. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from controller.manifests.parse import Claim
from controller.manifests.snapshot import ManifestError, ManifestRoom, SourcePosition
from controller.text import quote_excerpt

_NAMED = 3


def resolve_claims(claims: Sequence[Claim]) -> tuple[Mapping[str, ManifestRoom], list[ManifestError]]:
    """The rooms by key that nobody else claims, and an error for each claim that is shared.

    A document that is wrong claims its key and its id all the same: what it will say is not known.
    """
    shared_keys = _shared(claims, lambda claim: claim.key)
    shared_ids = _shared(claims, lambda claim: claim.id)
    errors = [
        *_errors("key", shared_keys, lambda claim: claim.key_position),
        *_errors("id", shared_ids, lambda claim: claim.id_position),
    ]
    rooms = {
        claim.room.key: claim.room
        for claim in claims
        if claim.room is not None and claim.key not in shared_keys and claim.id not in shared_ids
    }
    return rooms, errors


def _shared(claims: Iterable[Claim], by: Callable[[Claim], str | None]) -> dict[str, list[Claim]]:
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        if (value := by(claim)) is not None:
            groups.setdefault(value, []).append(claim)
    return {value: group for value, group in groups.items() if len(group) > 1}


def _errors(
    name: str, shared: Mapping[str, Sequence[Claim]], at: Callable[[Claim], SourcePosition]
) -> Iterable[ManifestError]:
    for value, group in shared.items():
        places = [f"{claim.file}:{at(claim).line}:{at(claim).column}" for claim in group[: _NAMED + 1]]
        for index, claim in enumerate(group):
            others = [place for i, place in enumerate(places) if i != index][:_NAMED]
            more = len(group) - 1 - len(others)
            also = ", ".join(others) + (f" and {more} more" if more else "")
            message = f"duplicate {name} {quote_excerpt(value)}, also used in {also}; {name}s must be unique"
            yield ManifestError(claim.file, message, at(claim), claim.key)
