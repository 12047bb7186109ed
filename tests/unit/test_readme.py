"""What the documents say is what the code does."""

import hashlib
import re
from pathlib import Path

import pytest

import controller
from controller import metrics
from controller.cli import run_verb
from controller.cli.exits import Exit
from controller.cli.verbs import VERBS
from controller.manifests import load
from controller.settings import SETTINGS, Setting
from controller.sidecar.token_file import Entry, read_tokens

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.+?)```", README, re.DOTALL)


def table(header: str) -> list[tuple[str, str]]:
    """The two cells of each row of the table that begins with `header`."""
    lines = README[README.index(f"| {header} |") :].splitlines()[2:]
    rows = lines[: next(i for i, line in enumerate([*lines, ""]) if not line.startswith("|"))]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    return [(first, second) for first, second in cells]


def test_lists_every_setting_once_in_the_order_of_the_code() -> None:
    named = [f"`{s.variable}`" + (" (secret)" if s.secret else "") for s in SETTINGS]
    assert [variable for variable, _ in table("variable")] == named


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.variable)
def test_gives_each_setting_the_default_that_the_code_has(setting: Setting) -> None:
    said = dict(table("variable"))[f"`{setting.variable}`" + (" (secret)" if setting.secret else "")]
    if setting.example:
        assert said.startswith("required")
        return
    default = re.search(r"\[(.+)\]$", setting.help)
    assert default is not None
    assert re.search(rf"(?<!\w){re.escape(default[1])}(?!\w)", said.replace("`", ""))


def test_lists_every_metric_that_the_code_has() -> None:
    documented = [
        line.split()[0] for line in (metrics.__doc__ or "").splitlines() if line.startswith("roomctl_")
    ]
    assert [name.strip("`") for name, _ in table("metric")] == documented
    counted = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in metrics.Metrics().registry.collect()
    }
    assert {re.sub(r"\{.*", "", name) for name in documented} == counted


def test_lists_every_verb_and_exit_code() -> None:
    assert [verb.strip("`").split()[1] for verb, _ in table("verb")] == list(VERBS)
    assert [int(code) for code, _ in table("exit code")] == [int(code) for code in Exit]


def test_its_manifests_are_valid(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES[:2]):
        (tmp_path / f"example-{number}.yaml").write_text(example)
    desired = load(tmp_path)
    assert not desired.errors
    assert sorted(desired.rooms) == ["events/backstage", "events/keynote", "example-0"]


def test_its_file_of_access_tokens_is_right() -> None:
    proof = hashlib.sha256(b"my-token").digest()
    assert read_tokens(EXAMPLES[2].encode()) == [Entry(proof, "events", admin=False)]


def test_every_verb_it_writes_exists() -> None:
    written = re.findall(r"(?:`|^)roomctl ([a-z]+)", README, re.MULTILINE)
    assert {"run", "doctor", "wait"} <= set(written) <= set(VERBS)


@pytest.mark.parametrize(("verb", "row"), table("verb"))
def test_every_flag_it_writes_exists(verb: str, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_verb([verb.strip("`").split()[1], "--help"])
    told = capsys.readouterr().out
    assert [flag for flag in re.findall(r"(?<=`)--?[a-z-]+", row) if flag not in told] == []


def test_every_link_to_a_file_leads_somewhere() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "text",
    [controller.__doc__ or "", (ROOT / "controller" / "DECISIONS.md").read_text()],
    ids=["walk", "decisions"],
)
def test_every_module_that_is_named_exists(text: str) -> None:
    files = {path.relative_to(ROOT / "controller").as_posix() for path in (ROOT / "controller").rglob("*.py")}
    named = set(re.findall(r"[a-z_/]+\.py\b", text))
    known = files | {file.rsplit("/", 1)[-1] for file in files} | {"tests/bench/create_token.py"}
    assert named - known == set()
    assert named
