"""The operator's look of the join page: which files are accepted, and how they are served."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controller.errors import SettingsError
from controller.sidecar.pages.brand import BrandFiles
from tests.unit.sidecar.harness import ROOM_ID, SETTINGS, ask, serving

SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


def wrong(folder: Path) -> str:
    """What a start says of the files."""
    with pytest.raises(SettingsError) as raised:
        BrandFiles(folder, lambda: 0.0)
    return str(raised.value)


class TestFiles:
    def test_no_file_has_to_be_there(self, tmp_path: Path) -> None:
        assert BrandFiles(tmp_path, lambda: 0.0).current().sign == ""

    @pytest.mark.parametrize(
        ("name", "content", "problem"),
        [
            ("brand.json", "{", "brand.json: invalid JSON at line 1"),
            ("brand.json", "[]", "brand.json: must be an object"),
            ("brand.json", '{"nam": "A"}', "brand.json: unknown key; did you mean name?"),
            ("brand.json", '{"name": "A", "name": "B"}', "brand.json: a key is there twice"),
            ("brand.json", '{"name": 1}', "brand.json: name must be a string"),
            ("brand.json", '{"name": ""}', "brand.json: name must be 1 to 64 characters"),
            ("brand.json", '{"leave_url": "javascript:alert(1)"}', "leave_url must be an http or https URL"),
            ("brand.json", '{"leave_url": "https://"}', "leave_url must be an http or https URL"),
            ("brand.json", '{"leave_url": "//example.com"}', "leave_url must be an http or https URL"),
            ("brand.css", " " * (64 * 1024 + 1), "brand.css: is longer than 64 KiB"),
            ("logo.svg", " " * (256 * 1024 + 1), "logo.svg: is longer than 256 KiB"),
        ],
    )
    def test_an_invalid_file_is_an_error_that_names_the_setting(
        self, tmp_path: Path, name: str, content: str, problem: str
    ) -> None:
        (tmp_path / name).write_text(content)
        assert "ROOMCTL_BRAND_DIR: " in wrong(tmp_path)
        assert problem in wrong(tmp_path)
        assert str(tmp_path) not in wrong(tmp_path)

    def test_a_directory_that_is_missing_is_an_error(self, tmp_path: Path) -> None:
        assert "ROOMCTL_BRAND_DIR: no such directory" in wrong(tmp_path / "missing")

    def test_a_link_must_stay_in_the_directory(self, tmp_path: Path) -> None:
        secret, folder = tmp_path / "secret", tmp_path / "brand"
        secret.write_text("secret")
        folder.mkdir()
        (folder / "logo.svg").symlink_to(secret)
        assert "logo.svg: is a link out of the directory" in wrong(folder)

    def test_the_links_of_a_kubernetes_volume_are_followed(self, tmp_path: Path) -> None:
        (tmp_path / "..2026").mkdir()
        (tmp_path / "..2026" / "brand.json").write_text('{"name": "Mounted"}')
        (tmp_path / "..data").symlink_to("..2026")
        (tmp_path / "brand.json").symlink_to("..data/brand.json")
        assert BrandFiles(tmp_path, lambda: 0.0).current().name == "Mounted"

    @pytest.mark.parametrize("kind", ["directory", "dangling link"])
    def test_what_is_no_file_is_an_error(self, tmp_path: Path, kind: str) -> None:
        if kind == "directory":
            (tmp_path / "logo.svg").mkdir()
        else:
            (tmp_path / "logo.svg").symlink_to("missing.svg")
        assert "ROOMCTL_BRAND_DIR: " in wrong(tmp_path)


class TestReload:
    def test_a_changed_file_is_used_within_a_second(self, tmp_path: Path) -> None:
        now = [0.0]
        brand = BrandFiles(tmp_path, lambda: now[0])
        (tmp_path / "brand.json").write_text('{"name": "New"}')
        assert brand.current().name == ""
        now[0] = 1.0
        assert brand.current().name == "New"

    def test_an_invalid_change_leaves_the_last_valid_one(self, tmp_path: Path) -> None:
        now = [0.0]
        (tmp_path / "brand.json").write_text('{"name": "Good"}')
        brand = BrandFiles(tmp_path, lambda: now[0])
        (tmp_path / "brand.json").write_text('{"name": ')
        now[0] = 1.0
        assert brand.current().name == "Good"
        (tmp_path / "brand.json").write_text('{"name": "Better"}')
        now[0] = 2.0
        assert brand.current().name == "Better"


class TestServing:
    async def test_the_page_has_them_and_they_are_served_strictly(self, tmp_path: Path) -> None:
        (tmp_path / "brand.css").write_text(":root { --accent: #7a1fa2; }")
        (tmp_path / "logo.svg").write_text(SVG)
        facts = {"name": 'A "quoted" <name>', "leave_url": "https://example.com/bye?a=1&b=2"}
        (tmp_path / "brand.json").write_text(json.dumps(facts))
        async with serving(replace(SETTINGS, brand_dir=tmp_path)) as harness:
            page = (await ask(harness.sidecar.public, "GET", f"/join/{ROOM_ID}")).body.decode()
            assert 'alt="A &quot;quoted&quot; &lt;name&gt;"' in page
            assert 'data-leave-url="https://example.com/bye?a=1&amp;b=2"' in page
            style = await ask(harness.sidecar.public, "GET", "/join/assets/brand.css")
            assert style.headers["content-type"] == "text/css; charset=utf-8"
            logo = await ask(harness.sidecar.public, "GET", "/join/assets/logo.svg")
            assert logo.headers["content-type"] == "image/svg+xml"
            assert logo.headers["content-security-policy"].endswith("sandbox")
            assert logo.headers["x-content-type-options"] == "nosniff"
            assert (await ask(harness.sidecar.public, "GET", "/join/assets/brand.json")).status == 404

    async def test_without_the_setting_there_are_none(self) -> None:
        async with serving() as harness:
            page = (await ask(harness.sidecar.public, "GET", f"/join/{ROOM_ID}")).body.decode()
            assert 'id="brand"' not in page
            for name in ("brand.css", "logo.svg"):
                assert (await ask(harness.sidecar.public, "GET", f"/join/assets/{name}")).status == 404
