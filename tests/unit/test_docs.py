"""The pages in controller/docs say what the code does, and every link in them leads somewhere."""

import ast
import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import controller
from controller.cli import run_verb
from controller.cli.console import Exit
from controller.cli.verbs import VERBS
from controller.cli.wait_condition import TYPES
from controller.manifests.load import load
from controller.metrics import Metrics
from controller.room import PRESETS, RoomSpec
from controller.settings import SETTINGS, Setting
from controller.sidecar.calls import CALLS
from controller.sidecar.http.call import Call
from controller.sidecar.http.response import Code
from controller.sidecar.token_file import read_tokens
from tests.support.documents import DOCS, PAGES, ROOT, anchors, blocks, commands, links, page, prose, tables

SETTINGS_ROWS = list(tables(page("settings.md"), "Variable"))
VERB_ROWS = list(tables(page("cli.md"), "Verb"))
CITED = re.compile(r"\bdocs/([\w-]+\.md)(?:#([\w-]+))?")
CODE = [
    path
    for folder in ("controller", "tests", "deploy")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".js", ".css", ".html", ".go", ".yaml") and "node_modules" not in path.parts
]
FIELD_ROWS = list(tables(page("manifests.md"), "Field"))


def page_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def written(setting: Setting) -> str:
    return f"`{setting.variable}`" + (" (secret)" if setting.secret else "")


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(path: Path) -> None:
    for link in links(path.read_text()):
        file, _, heading = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not heading or heading in anchors(target.read_text()), link


@pytest.mark.parametrize(
    "text",
    [controller.__doc__ or "", *(path.read_text() for path in PAGES)],
    ids=["controller", *map(page_name, PAGES)],
)
def test_every_module_that_is_named_exists(text: str) -> None:
    """By its path from the repository or from controller/, or by its name alone."""
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("[!.]*/**/*.py")}
    short = {file.removeprefix("controller/") for file in files} | {file.rsplit("/", 1)[-1] for file in files}
    assert set(re.findall(r"[\w./-]+\.py\b", text)) <= files | short


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_path_that_is_named_exists(path: Path) -> None:
    named = re.findall(r"`((?:controller|tests|deploy|rooms\.d)/[\w./-]+)`", prose(path.read_text()))
    fetched = {"controller/sidecar/pages/node_modules", "rooms.d/standup.yaml"}
    assert {name for name in named if not (ROOT / name).exists()} <= fetched


def test_every_page_that_the_code_cites_exists_and_has_the_heading() -> None:
    """`docs/access.md#invites` in controller/, `controller/docs/access.md#invites` elsewhere."""
    cited = {cite for path in CODE for cite in CITED.findall(path.read_text())}
    assert len(cited) > 20
    for file, heading in cited:
        assert (DOCS / file).exists(), file
        assert not heading or heading in anchors(page(file)), f"{file}#{heading}"


def test_no_code_cites_what_is_not_in_the_repository() -> None:
    elsewhere = re.compile(r"\bcontract \d|\barchitecture, rule|livekit-facts", re.IGNORECASE)
    assert [path.name for path in CODE if elsewhere.search(path.read_text())] == [Path(__file__).name]


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_verb_of_a_page_exists(path: Path) -> None:
    assert set(commands(path.read_text())) <= set(VERBS)


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_setting_of_a_page_exists(path: Path) -> None:
    known = {s.variable for s in SETTINGS} | {f"{s.variable}_FILE" for s in SETTINGS if s.secret}
    named = set(re.findall(r"\b(?:ROOMCTL|LIVEKIT|MONGODB)_[A-Z][A-Z0-9_]*\b(?!_)", path.read_text()))
    assert named - known <= {"ROOMCTL_TEST_CACHE", "ROOMCTL_QUICKSTART_CACHE"}


def test_names_the_layers_in_the_order_that_import_linter_checks() -> None:
    shown = re.findall(r"\w+", page("architecture.md").split("    cli -> ")[1].split("\n\n")[0])
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [name.removeprefix("controller.") for layer in checked["layers"] for name in layer.split(" | ")]
    assert ["cli", *shown] == [name for name in layers if name in ("cli", *shown)]


def test_lists_every_setting_once_in_the_order_of_the_code() -> None:
    assert [row[0] for row in SETTINGS_ROWS] == [written(setting) for setting in SETTINGS]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.variable)
def test_gives_each_setting_the_default_that_the_code_has(setting: Setting) -> None:
    (said,) = (default for variable, default, _ in SETTINGS_ROWS if variable == written(setting))
    if setting.example:
        assert said == "required"
        return
    assert setting.default
    assert said.replace("`", "") == setting.default


@pytest.mark.parametrize("call", [call for call in CALLS if call.group], ids=lambda call: call.path)
def test_describes_every_http_call(call: Call) -> None:
    assert re.search(rf"\b{call.name}\b", page("http-api.md"))


def test_lists_every_metric_that_the_code_has() -> None:
    metrics = Metrics()
    rows = [re.findall(r"\w+", name) for name, _ in tables(page("monitoring.md"), "Metric")]
    assert [name for name, *_ in rows] == [
        family.name + ("_total" if family.type == "counter" else "") for family in metrics.registry.collect()
    ]
    for name, *labels in rows:
        metric = vars(metrics)[name.removeprefix("roomctl_").removesuffix("_total")]
        if labels:
            metric.labels(**dict.fromkeys(labels, "any"))  # ValueError for other labels
        else:
            assert next(iter(metric.collect())).samples  # which one with labels has none of


def test_lists_every_verb_and_exit_code() -> None:
    assert [verb.strip("`").split()[1] for verb, _ in VERB_ROWS] == list(VERBS)
    assert [int(code) for code, _ in tables(page("cli.md"), "Exit code")] == [int(code) for code in Exit]


@pytest.mark.parametrize(("verb", "row"), VERB_ROWS)
def test_every_flag_of_a_verb_exists(verb: str, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_verb([verb.strip("`").split()[1], "--help"])
    output = capsys.readouterr().out
    assert [flag for flag in re.findall(r"(?<=`)--?[a-z-]+", row) if flag not in output] == []


def test_lists_every_field_of_a_manifest_with_its_default() -> None:
    rows = {name.strip("`"): default.strip("`") for name, _, default, _ in FIELD_ROWS}
    assert list(rows) == list(RoomSpec.model_fields)
    assert rows == {
        name: "required" if info.is_required() else json.dumps(info.default).strip('"')
        for name, info in RoomSpec.model_fields.items()
    }


def test_lists_what_each_preset_gives() -> None:
    header, *rows = tables(page("manifests.md"), "Preset", header_too=True)
    listed = {row[0].strip("`"): dict(zip(header[1:], row[1:], strict=True)) for row in rows}
    assert listed == {
        name: {field: json.dumps(value).strip('"') for field, value in preset.items()}
        for name, preset in PRESETS.items()
    }


def test_lists_every_error_code_with_its_status() -> None:
    listed = [(code.strip("`"), int(status)) for code, status, *_ in tables(page("http-api.md"), "Code")]
    assert listed == [(str(code), int(code.status)) for code in Code]


def test_has_a_section_for_each_type_of_condition() -> None:
    assert re.findall(r"^## (\w+)$", page("conditions.md"), re.MULTILINE) == list(TYPES)
    (listed,) = re.findall(r"condition type \((.+?)\)", page("cli.md"), re.DOTALL)
    assert re.findall(r"\w+", listed) == list(TYPES)


def test_lists_every_reason_of_a_condition() -> None:
    """Each reason of the page is in the code, and each that the code gives to a condition is on the page."""
    code = [path.read_text() for path in (ROOT / "controller").rglob("*.py")]
    listed = {reason.strip("`") for _, reason, *_ in tables(page("conditions.md"), "Status")}
    assert {reason for reason in listed if not any(f'"{reason}"' in text for text in code)} == set()
    assert set().union(*map(reasons, code)) - listed == set()


def reasons(code: str) -> set[str]:
    """What a module writes as the reason of a condition."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and len(node.args) > 2]
    made = [call.args[2] for call in calls if ast.unparse(call.func) in ("NewCondition", "Condition")]
    parts = [part for reason in made for part in ast.walk(reason) if isinstance(part, ast.Constant)]
    return {part.value for part in parts if isinstance(part.value, str)}


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_manifest_of_a_page_is_valid(path: Path, tmp_path: Path) -> None:
    shown = [text for text in blocks(path.read_text(), "yaml") if "token_sha256" not in text]
    for number, text in enumerate(shown):
        name = "_policy.yaml" if text.startswith("presets:") else "room.yaml"
        (tmp_path / f"example-{number}").mkdir()
        (tmp_path / f"example-{number}" / name).write_text(text)
    assert load(tmp_path).errors == ()


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_every_list_of_access_tokens_of_a_page_is_right(path: Path) -> None:
    for text in (text for text in blocks(path.read_text(), "yaml") if "token_sha256" in text):
        assert read_tokens(text.encode()) == {hashlib.sha256(b"my-token").digest(): ("events", False)}


def test_the_workflow_runs_all_tests_and_the_fast_ones_on_each_supported_python() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    for job, command in (("everything", "tests/run"), ("fast", "tests/run --fast")):
        assert command in [step.get("run") for step in jobs[job]["steps"]]
    supported = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert supported is not None
    assert jobs["fast"]["strategy"]["matrix"]["python"] == [
        f"3.{n}" for n in range(*map(int, supported.groups()))
    ]
