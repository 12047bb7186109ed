"""A file that is no manifest at all gives one sentence that says what it is, where it shows."""

from pathlib import Path

import pytest

from controller.manifests.load import load
from controller.manifests.snapshot import Desired
from tests.unit.manifests.corpus import GOOD, GOOD_JSON
from tests.unit.manifests.test_bad_files import errors

CONFLICT = "Git merge conflict; resolve it and remove the markers"
POINTER = "Git LFS pointer, not the file itself; run `git lfs pull`, or keep manifests out of LFS"
TEMPLATE = "template (Helm, Jinja or similar), not a manifest; render it and add the result instead"
KUBERNETES = (
    "Kubernetes object, not a manifest; move the fields of the room to the top level, remove the rest"
)
BOTH = "<<<<<<< HEAD\nrecord: true\n||||||| base\nactive: true\n=======\nrecord: false\n>>>>>>> b\n"
OBJECT = "apiVersion: example.com/v1\nkind: Room\nmetadata: {name: a}\nspec:\n  name: A\n"
DEPLOYMENT = "kind: Deployment\napiVersion: apps/v1\nspec: {template: {spec: {containers: [{name: a}]}}}\n"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 120\n"


def load_one(folder: Path, content: str, name: str) -> Desired:
    (folder / name).write_bytes(content.encode())
    return load(folder)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        pytest.param("f.yaml", f"name: A\n{BOTH}", f'2:1: "<<<<<<< HEAD": {CONFLICT}', id="conflict"),
        pytest.param(
            "f.yaml",
            f"name: A\n{BOTH}".replace("\n", "\r\n"),
            f'2:1: "<<<<<<< HEAD": {CONFLICT}',
            id="conflict, CRLF",
        ),
        pytest.param("f.yaml", f"{BOTH}name: A\n", f'1:1: "<<<<<<< HEAD": {CONFLICT}', id="first line"),
        pytest.param("f.yaml", f"{GOOD}=======\n", f'3:1: "=======": {CONFLICT}', id="a marker left over"),
        pytest.param(
            "f.yaml", f"{GOOD}>>>>>>> b", f'3:1: ">>>>>>> b": {CONFLICT}', id="the last marker left"
        ),
        pytest.param(
            "f.json",
            '{\n<<<<<<< a\n"name": "A"\n=======\n',
            f'2:1: "<<<<<<< a": {CONFLICT}',
            id="conflict in JSON",
        ),
        pytest.param(
            "f.yaml", LFS, f'1:1: "version https://git-lfs.github.com/spec/v1": {POINTER}', id="LFS"
        ),
        pytest.param(
            "f.json", LFS, f'1:1: "version https://git-lfs.github.com/spec/v1": {POINTER}', id="LFS of JSON"
        ),
        pytest.param(
            "f.yaml",
            "name: {{ .Values.name }}\nmax_participants: {{ .Values.max }}\n",
            f'1:7: "{{{{ .Values.name }}}}": {TEMPLATE}',
            id="Helm",
        ),
        pytest.param(
            "f.yaml",
            '# {{ not this }}\nname: "{{ .Values.name }}"\npreset: standard-team\n',
            f'2:8: "{{{{ .Values.name }}}}": {TEMPLATE}',
            id="in quotes",
        ),
        pytest.param(
            "f.yaml",
            "{{- range .Values.rooms }}\n---\nkey: {{ .key }}\n{{- end }}\n",
            f'1:1: "{{{{- range .Values.rooms }}}}": {TEMPLATE}',
            id="a loop",
        ),
        pytest.param(
            "f.yaml", "{% if a %}\nname: A\n{% endif %}\n", f'1:1: "{{% if a %}}": {TEMPLATE}', id="Jinja"
        ),
        pytest.param("f.yaml", f"{GOOD}record: <%= a %>\n", f'3:9: "<%= a %>": {TEMPLATE}', id="ERB"),
        pytest.param(
            "f.json",
            '{"name": {{ name | tojson }}}',
            f'1:10: "{{{{ name | tojson }}}}": {TEMPLATE}',
            id="of JSON",
        ),
        pytest.param("f.yaml", OBJECT, f'1:1: "apiVersion: example.com/v1": {KUBERNETES}', id="Kubernetes"),
        pytest.param(
            "f.yaml", DEPLOYMENT, f'2:1: "apiVersion: apps/v1": {KUBERNETES}', id="deep, and another order"
        ),
        pytest.param(
            "f.json",
            '{"kind": "Room",\n "apiVersion": "example.com/v1",\n "spec": {}}',
            f'2:2: ""apiVersion": "example.com/v1",": {KUBERNETES}',
            id="Kubernetes in JSON",
        ),
        pytest.param(
            "f.yaml",
            "apiVersion: v1\nmetadata: {name: {{ .Release.Name }}}\n",
            f'2:18: "{{{{ .Release.Name }}}}": {TEMPLATE}',
            id="a template of a Kubernetes object",
        ),
    ],
)
def test_another_format_is_one_error(tmp_path: Path, name: str, content: str, error: str) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    desired = load_one(tmp_path, content, name)
    assert errors(desired) == [error]
    assert sorted(desired.rooms) == ["good"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.yaml", f'{GOOD}user_id: "{{{{ a }}}}"\n'),
        ("f.yaml", f"{GOOD}user_id: |\n  =======\n"),
        ("f.yaml", f"# {{{{ a }}}}\n# =======\n# apiVersion: v1\n{GOOD}"),
        ("f.json", GOOD_JSON.replace("}", ', "user_id": "{% a %}, apiVersion: 1"}')),
    ],
)
def test_a_valid_manifest_may_look_like_anything(tmp_path: Path, name: str, content: str) -> None:
    desired = load_one(tmp_path, content, name)
    assert (desired.errors, sorted(desired.rooms)) == ((), ["f"])


def test_in_a_file_of_several_only_the_document_that_is_something_else_fails(tmp_path: Path) -> None:
    desired = load_one(
        tmp_path,
        f"key: a\n{GOOD}---\n{OBJECT}---\nkey: b\nname: {{{{ b }}}}\n---\nkey: c\n{GOOD}recrod: true\n",
        "f.yaml",
    )
    assert sorted(desired.rooms) == ["a"]
    assert [(error.key, error.message.rpartition('"')[2]) for error in desired.errors] == [
        (None, f": {KUBERNETES}"),
        ("b", f": {TEMPLATE}"),
        ("c", "; did you mean record?"),
    ]


def test_what_follows_a_conflict_is_unknown_so_the_file_fails_whole(tmp_path: Path) -> None:
    desired = load_one(tmp_path, f"key: a\n{GOOD}---\nkey: b\n{BOTH}", "f.yaml")
    assert not desired.rooms
    assert [(error.key, error.message) for error in desired.errors] == [(None, f'"<<<<<<< HEAD": {CONFLICT}')]
