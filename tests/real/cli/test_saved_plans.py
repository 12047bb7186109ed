"""Plans in a pipeline, on real servers: saved and applied, as Markdown, and without any server."""

import json
import re
from pathlib import Path

from tests.support.controller import Site
from tests.support.participants import canary


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


async def test_more_people_than_the_plan_says_are_not_cut_off(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    site.write("team")
    assert (await site.verb("apply", "--yes")).code == 0
    site.edit("team", active=False)
    assert (await site.verb("plan", "--out", str(saved))).code == 0
    async with canary(site.livekit.ws_url, await site.pass_key("team")):
        tried = await site.verb("apply", str(saved), "--yes")
        assert tried.code == 3
        assert "(1 participant inside, and the saved plan says 0)" in tried.err
        assert re.search(r"made \d+ s ago from revision ", tried.err)
        assert len(await site.people("team")) == 1
        assert (await site.verb("plan", "--out", str(saved))).code == 0
        assert (await site.verb("apply", str(saved), "--yes")).code == 0
    assert await site.ours() == {}


async def test_a_plan_that_was_changed_or_is_of_another_database_is_refused(
    site: Site, tmp_path: Path
) -> None:
    saved = tmp_path / "plan.json"
    site.write("team")
    assert (await site.verb("apply", "--yes")).code == 0
    site.edit("team", allow_chat=True)
    assert (await site.verb("plan", "--out", str(saved))).code == 0
    text = saved.read_text()
    other = await site.verb("apply", str(saved), "--yes", MONGODB_DATABASE=f"{site.database}_2")
    assert (other.code, "made with another database" in other.err) == (1, True)
    saved.write_text(text.replace('"participants": 0', '"participants": 9'))
    tampered = await site.verb("apply", str(saved), "--yes")
    assert (tampered.code, "changed since it was written" in tampered.err) == (1, True)
    assert not (await site.record("team")).spec.allow_chat
    saved.write_text(json.dumps(json.loads(text), sort_keys=True))
    assert (await site.verb("apply", str(saved), "--yes")).code == 0
    assert (await site.record("team")).spec.allow_chat


async def test_a_plan_that_cannot_be_written_is_one_line(site: Site, tmp_path: Path) -> None:
    made = await site.verb("plan", "--out", str(tmp_path / "nowhere" / "plan.json"))
    assert made.code == 1
    assert made.err.endswith("nowhere/plan.json: no such file or directory\n")


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
