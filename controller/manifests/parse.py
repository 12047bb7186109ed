"""From one file's bytes to what it says: rooms, errors, and what each document lays claim to. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from controller.manifests.document import Document, Fault, Unreadable, decoded, documents
from controller.manifests.fields import Body, read_body
from controller.manifests.keys import KEY_RULE, is_key
from controller.manifests.snapshot import ManifestError, ManifestRoom, Mark
from controller.text import quoted


@dataclass(frozen=True, slots=True)
class Claim:
    """A document that says whose manifest it is; `room` is None where something else in it is wrong."""

    file: str
    mark: Mark
    key: str | None
    key_mark: Mark
    id: str | None
    id_mark: Mark
    room: ManifestRoom | None


@dataclass(frozen=True, slots=True)
class Parsed:
    """One file's content. `digest` is the SHA-256 (hex) of its bytes, '' where it was not read."""

    file: str
    digest: str = ""
    claims: tuple[Claim, ...] = ()
    errors: tuple[ManifestError, ...] = ()


def parse(content: bytes, file: str, default_key: str) -> Parsed:
    """What `content` says. `file` is what errors call it; `default_key` what its path would give as key."""
    found: list[Document] = []
    broken: list[ManifestError] = []
    try:
        found.extend(documents(decoded(content)))
    except Unreadable as wrong:
        broken.append(ManifestError(file, wrong.message, wrong.mark))
    if not found and not broken:
        broken.append(ManifestError(file, "this file holds no room; write one, or take it away", Mark(1, 1)))
    bodies = [read_body(document) for document in found]
    alone = len(bodies) == 1 and not broken
    read = [_claim(body, file, default_key if alone else None, whole=not broken) for body in bodies]
    return Parsed(
        file,
        hashlib.sha256(content).hexdigest(),
        claims=tuple(claim for claim, _ in read),
        errors=(*(error for _, errors in read for error in errors), *broken),
    )


def _claim(
    body: Body, file: str, default_key: str | None, *, whole: bool
) -> tuple[Claim, Sequence[ManifestError]]:
    """The document's claim and its errors. `default_key` is None in a file of several documents."""
    key = body.key
    faults = list(body.faults)
    if key is None and body.key_stands:
        if default_key is not None and is_key(default_key):
            key = default_key
        elif whole:
            faults.append(Fault(body.mark, _key_wanted(default_key)))
    errors = [ManifestError(file, message, mark, key) for mark, message in faults]
    room = None
    if body.spec is not None and key is not None and whole and not errors:
        room = ManifestRoom(key, file, body.spec, body.mark, body.id, body.id_mark)
    id_mark = body.id_mark or body.mark
    return Claim(file, body.mark, key, body.key_mark or body.mark, body.id, id_mark, room), errors


def _key_wanted(default_key: str | None) -> str:
    if default_key is None:
        return "key is missing, and this file holds several rooms; write `key: NAME`, another for each"
    path = quoted(default_key)
    return f"key is missing, and the path gives {path}, which is not allowed; write `key:` with {KEY_RULE}"
