"""The commit that a directory is at, read from real repositories."""

import os
import subprocess
from pathlib import Path

import pytest

from controller.git import GitReader, History

PATH = os.environ["PATH"]
WHO = {
    "GIT_AUTHOR_NAME": "Ada Lovelace",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Bot",
    "GIT_COMMITTER_EMAIL": "bot@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": PATH,
}


def git(folder: Path, *arguments: str, **env: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**WHO, **env}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    """rooms.d inside a new repository, with one manifest committed."""
    folder = tmp_path / "checkout" / "rooms.d"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", "..")
    commit(folder, "standup.yaml", "Add the stand-up")
    return folder


def commit(folder: Path, file: str, subject: str, **env: str) -> str:
    place = folder / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"name: {subject}\n")
    git(folder, "add", ":/")
    git(folder, "commit", "-q", "-m", subject, **env)
    return git(folder, "rev-parse", "HEAD")


def test_head_has_author_time_and_subject(rooms: Path) -> None:
    head = GitReader(rooms).history().head
    assert head is not None
    assert (head.id, head.author, head.subject) == (
        git(rooms, "rev-parse", "HEAD"),
        "Ada Lovelace",
        "Add the stand-up",
    )
    assert head.time.isoformat() == git(rooms, "log", "-1", "--format=%cI").replace("Z", "+00:00")
    assert head.id.startswith(head.short)


def test_author_of_a_file_is_the_one_of_its_last_commit(rooms: Path) -> None:
    reader = GitReader(rooms)
    assert reader.author_of("standup.yaml") is None, "nothing was read yet"
    reader.history()
    assert reader.author_of("standup.yaml") == f"git {git(rooms, 'rev-parse', 'HEAD')[:12]} Ada Lovelace"
    assert reader.author_of("none.yaml") is None


def test_author_of_several_files_is_the_one_of_the_newest_commit(rooms: Path) -> None:
    commit(rooms, "_policy.yaml", "Limit the rooms", GIT_COMMITTER_DATE="2099-01-01T00:00:00Z")
    reader = GitReader(rooms)
    reader.history()
    policy = reader.author_of("_policy.yaml")
    assert reader.author_of("standup.yaml", "none.yaml", "_policy.yaml") == policy
    assert reader.author_of("standup.yaml") != policy


def test_file_that_was_removed_has_the_commit_that_removed_it(rooms: Path) -> None:
    git(rooms, "rm", "-q", "standup.yaml")
    git(rooms, "commit", "-q", "-m", "Remove the stand-up")
    assert GitReader(rooms).history().files["standup.yaml"].subject == "Remove the stand-up"


def test_each_file_has_the_last_commit_that_touched_it(rooms: Path) -> None:
    first = git(rooms, "rev-parse", "HEAD")
    second = commit(rooms, "events/keynote ä.yaml", "Add the keynote")
    commit(rooms, "../README.md", "Say more")
    files = GitReader(rooms).history().files
    assert {name: each.id for name, each in files.items()} == {
        "standup.yaml": first,
        "events/keynote ä.yaml": second,
    }


def test_history_is_read_again_only_when_head_has_moved(rooms: Path) -> None:
    reader = GitReader(rooms)
    before = reader.history()
    assert reader.history() is before
    moved = commit(rooms, "standup.yaml", "Rename the stand-up")
    after = reader.history()
    assert after.head is not None
    assert after.head.id == moved


def test_branch_that_was_rewritten_is_read_as_it_is_now(rooms: Path) -> None:
    reader = GitReader(rooms)
    commit(rooms, "b.yaml", "Add b")
    assert set(reader.history().files) == {"standup.yaml", "b.yaml"}
    git(rooms, "reset", "-q", "--hard", "HEAD~1")
    third = commit(rooms, "c.yaml", "Add c")
    files = reader.history().files
    assert set(files) == {"standup.yaml", "c.yaml"}
    assert files["c.yaml"].id == third


def test_history_that_goes_on_keeps_what_was_read(rooms: Path) -> None:
    reader = GitReader(rooms)
    first = reader.history().files["standup.yaml"]
    second = commit(rooms, "b.yaml", "Add b")
    assert reader.history().files["standup.yaml"] == first
    assert reader.history().files["b.yaml"].id == second
    third = commit(rooms, "standup.yaml", "Rename it")
    assert reader.history().files["standup.yaml"].id == third


def test_packed_branch_and_detached_head_are_noticed(rooms: Path) -> None:
    reader = GitReader(rooms)
    first = git(rooms, "rev-parse", "HEAD")
    second = commit(rooms, "b.yaml", "Add b")
    assert reader.history().files["b.yaml"].id == second
    git(rooms, "pack-refs", "--all")
    git(rooms, "checkout", "-q", "--detach", first)
    head = reader.history().head
    assert head is not None
    assert head.id == first


def test_worktree_that_a_link_points_to_is_followed(rooms: Path, tmp_path: Path) -> None:
    """As git-sync publishes it: a link that moves from one work tree to the next."""
    first = git(rooms, "rev-parse", "HEAD")
    second = commit(rooms, "standup.yaml", "Rename it")
    link = tmp_path / "current"
    for number, revision in enumerate((first, second)):
        git(rooms, "worktree", "add", "-q", "--detach", str(tmp_path / f"tree{number}"), revision)
    link.symlink_to(tmp_path / "tree0")
    reader = GitReader(link / "rooms.d")
    heads = [reader.history().head]
    link.unlink()
    link.symlink_to(tmp_path / "tree1")
    heads.append(reader.history().head)
    assert [head.id for head in heads if head is not None] == [first, second]


def test_shallow_clone_says_what_it_has(rooms: Path, tmp_path: Path) -> None:
    commit(rooms, "b.yaml", "Add b")
    git(tmp_path, "clone", "-q", "--depth", "1", (rooms.parent).as_uri(), "shallow")
    history = GitReader(tmp_path / "shallow" / "rooms.d").history()
    assert history.head is not None
    assert {each.id for each in history.files.values()} == {history.head.id}


def test_outside_a_work_tree_nothing_is_known(tmp_path: Path) -> None:
    assert GitReader(tmp_path).history() == History()


def test_directory_that_cannot_be_found_is_in_no_work_tree(tmp_path: Path) -> None:
    loop, file = tmp_path / "loop", tmp_path / "file"
    loop.symlink_to(loop)
    file.write_text("")
    for place in (loop, file, tmp_path / "missing"):
        assert GitReader(place).history() == History()
        assert GitReader(place).last_commit("a.yaml") is None


def test_without_git_nothing_is_known(rooms: Path) -> None:
    assert GitReader(rooms, "/nonexistent").history() == History()


def test_repository_without_a_commit_has_no_head(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", ".")
    assert GitReader(tmp_path).history() == History()


def test_settings_of_the_repository_run_no_program(rooms: Path, tmp_path: Path) -> None:
    marker, script = tmp_path / "ran", tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    for name in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external", "core.sshCommand"):
        git(rooms, "config", name, str(script))
    git(rooms, "config", "log.showSignature", "true")
    assert GitReader(rooms).history().head is not None
    assert not marker.exists()
