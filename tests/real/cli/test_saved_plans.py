"""Plans in a pipeline, on real servers: saved and applied, as Markdown, and without any server."""

import json
from pathlib import Path

from tests.support.controller import Site


async def test_only_what_a_saved_plan_has_is_applied(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    site.write("first")
    made = await site.verb("plan", "--out", str(saved))
    assert made.code == 0
    assert "Plan: 1 to create, 1 to start." in made.out
    site.write("second")
    applied = await site.verb("apply", str(saved), "--yes")
    assert applied.code == 3, applied.err
    assert "not applied: second: create, start (the saved plan does not have this change)" in applied.err
    assert (await site.records()).keys() == {"first"}
    again = await site.verb("apply", str(saved), "--yes")
    assert again.code == 3
    assert (await site.verb("plan", "--out", str(saved))).code == 0
    assert (await site.verb("apply", str(saved), "--yes")).code == 0
    assert (await site.records()).keys() == {"first", "second"}


async def test_a_file_that_is_no_plan_changes_nothing(site: Site, tmp_path: Path) -> None:
    site.write("first")
    for file, text in ((tmp_path / "x.json", "{}"), (tmp_path / "missing.json", None)):
        if text is not None:
            file.write_text(text)
        tried = await site.verb("apply", str(file), "--yes")
        assert tried.code == 1
        assert file.name in tried.err
    assert await site.records() == {}


async def test_markdown_is_one_comment(site: Site) -> None:
    site.write("first")
    made = await site.verb("plan", "-o", "markdown", "--detailed-exitcode")
    assert made.code == 2
    assert made.out.startswith("<!-- roomctl-plan -->\n### roomctl plan: 1 to create, 1 to start\n")
    assert "<code>first</code>: create, start" in made.out


async def test_a_base_needs_no_setting_and_no_server(site: Site, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    site.write("first")
    site.write("second")
    before = json.loads((site.rooms_dir / "first.json").read_text()) | {"allow_chat": True}
    (base / "first.json").write_text(json.dumps(before))
    nothing = dict.fromkeys(site.env.keys() - {"ROOMCTL_ROOMS_DIR", "PATH"}, "")
    made = await site.verb("plan", "--base", str(base), "-o", "json", **nothing)
    assert made.code == 0, made.err
    changes = json.loads(made.out)["changes"]
    assert [(change["key"], change["actions"]) for change in changes] == [
        ("first", ["update"]),
        ("second", ["create", "start"]),
    ]
    text = await site.verb("plan", "--base", str(base), **nothing)
    assert "people are not counted" in text.out
    missing = await site.verb("plan", "--base", str(tmp_path / "nowhere"), **nothing)
    assert (missing.code, missing.out) == (1, "")
    assert "--base" in missing.err
