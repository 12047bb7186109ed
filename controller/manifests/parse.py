"""Parses one file: its rooms, its errors, and the keys and ids that each document claims. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from controller.manifests.document import (
    Diagnostic,
    Document,
    UnreadableError,
    decoded,
    documents,
    yaml_events,
)
from controller.manifests.fields import ParsedFields, beyond_limits, read_fields
from controller.manifests.folder_policy import BUILT_IN, POLICY_FILE, FolderPolicy, PolicyContent
from controller.manifests.json_events import json_events
from controller.manifests.keys import KEY_RULE, is_key
from controller.manifests.other_formats import other_format
from controller.manifests.plain import read_plain
from controller.manifests.policy_file import read_policy
from controller.manifests.snapshot import ManifestError, ManifestRoom, SourcePosition
from controller.text import quote_excerpt


@dataclass(frozen=True, slots=True)
class Claim:
    """The key, the id and the room to adopt of a document; `room` is None if it has another error."""

    file: str
    position: SourcePosition
    key: str | None
    key_position: SourcePosition
    id: str | None
    id_position: SourcePosition
    room: ManifestRoom | None
    adopt: str | None = None
    adopt_position: SourcePosition | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """One file's content. `digest` is the SHA-256 (hex) of its bytes, '' if it was not read.

    `policy` is that of a valid policy file, which has no claims.
    """

    file: str
    digest: str = ""
    claims: tuple[Claim, ...] = ()
    errors: tuple[ManifestError, ...] = ()
    policy: PolicyContent | None = None


def parse(content: bytes, file: str, default_key: str, policy: FolderPolicy = BUILT_IN) -> Parsed:
    """Parse the manifests in `content`. `file` is its name in errors, `default_key` the key from its path.

    A file whose name ends in .json is read as JSON, any other as YAML.
    """
    is_json = file.endswith(".json")
    try:
        plain = read_plain(decoded(content), is_json=is_json, policy=policy) if is_key(default_key) else None
    except UnreadableError:
        plain = None
    if plain is None:
        return parse_events(content, file, default_key, policy)
    spec, position = plain
    room = ManifestRoom(default_key, file, spec, position)
    claim = Claim(file, position, default_key, position, None, position, room)
    return Parsed(file, hashlib.sha256(content).hexdigest(), (claim,))


def parse_events(content: bytes, file: str, default_key: str, policy: FolderPolicy = BUILT_IN) -> Parsed:
    """The same of any content, event by event: with every error, each at its place."""
    text = ""
    read_documents: list[Document] = []
    broken: list[ManifestError] = []
    try:
        text = decoded(content)
        events = json_events(text) if file.endswith(".json") else yaml_events(text)
        read_documents.extend(documents(events))
    except UnreadableError as wrong:
        shown = other_format(text) or wrong
        broken.append(ManifestError(file, shown.message, shown.position))
    if not read_documents and not broken:
        broken.append(
            ManifestError(
                file, "the file contains no manifest; add one or delete the file", SourcePosition(1, 1)
            )
        )
    key = default_key if len(read_documents) == 1 and not broken else None
    read = [_claim(document, text, file, key, policy, whole=not broken) for document in read_documents]
    return Parsed(
        file,
        hashlib.sha256(content).hexdigest(),
        claims=tuple(claim for claim, _ in read),
        errors=tuple(dict.fromkeys([*(error for _, errors in read for error in errors), *broken])),
    )


def _claim(
    document: Document, text: str, file: str, default_key: str | None, policy: FolderPolicy, *, whole: bool
) -> tuple[Claim, Sequence[ManifestError]]:
    """The document's claim and its errors. `default_key` is None in a file of several documents."""
    fields = read_fields(document, policy)
    key = fields.key
    diagnostics = list(fields.diagnostics)
    if key is None and fields.key_is_known:
        if default_key is not None and is_key(default_key):
            key = default_key
        elif whole:
            diagnostics.append(Diagnostic(fields.position, _missing_key_message(default_key)))
    if diagnostics and (other := other_format(text, document.offset)):
        diagnostics = [other]
    diagnostics += _objections(document, fields, policy)
    errors = [ManifestError(file, message, position, key) for position, message in diagnostics]
    room = None
    if fields.spec is not None and key is not None and whole and not errors:
        room = ManifestRoom(
            key, file, fields.spec, fields.position, fields.id, fields.id_position, fields.adopt
        )
    claim = Claim(
        file,
        fields.position,
        key,
        fields.key_position or fields.position,
        fields.id,
        fields.id_position or fields.position,
        room,
        fields.adopt,
        fields.adopt_position,
    )
    return claim, errors


def _objections(document: Document, fields: ParsedFields, policy: FolderPolicy) -> Sequence[Diagnostic]:
    """The errors of a document that is valid by itself, and not by its policy."""
    if policy.problem:
        return [Diagnostic(document.position, policy.problem)]
    return beyond_limits(document, fields.spec, policy) if fields.spec is not None else []


def parse_policy(content: bytes, file: str) -> Parsed:
    """Parse the policy file `content`. `file` is its name in errors."""
    text = ""
    digest = hashlib.sha256(content).hexdigest()
    if not file.endswith(POLICY_FILE):
        message = f"a policy file is named {POLICY_FILE}; rename it"
        return Parsed(file, digest, errors=(ManifestError(file, message),))
    try:
        text = decoded(content)
        policy, diagnostics = read_policy(list(documents(yaml_events(text))), file)
    except UnreadableError as wrong:
        shown = other_format(text) or wrong
        return Parsed(file, digest, errors=(ManifestError(file, shown.message, shown.position),))
    if diagnostics and (other := other_format(text)):
        diagnostics = (other,)
    errors = tuple(ManifestError(file, message, position) for position, message in diagnostics)
    return Parsed(file, digest, errors=errors, policy=policy if not errors else None)


def _missing_key_message(default_key: str | None) -> str:
    if default_key is None:
        return (
            "key is required in a file with several documents; "
            "add `key: NAME` with a unique name to each document"
        )
    path = quote_excerpt(default_key)
    return f"the file path does not yield a valid key ({path}); add `key:` with {KEY_RULE}"
