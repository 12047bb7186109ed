"""The page to walk in, and the one that is recorded: what is served, to whom, under which headers."""

import gzip
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin

import pytest

from controller.room import MediaType
from controller.sidecar.pages import assets as pages
from tests.unit.sidecar.harness import ROOM_ID, SETTINGS, Harness, Reply, ask, record, serving, spec

OTHER = "0" * 24
RECORDED = "/recording/template"
OWN = sorted(path.name for path in pages.FOLDER.iterdir() if path.suffix in (".js", ".css", ".svg"))


async def get(harness: Harness, target: str, method: str = "GET", **headers: str) -> Reply:
    return await ask(harness.sidecar.public, method, target, headers=headers)


@asynccontextmanager
async def with_client(client: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    """A sidecar that finds livekit-client there, or nothing."""
    monkeypatch.setitem(pages.PACKAGES, "livekit-client", (client,))
    async with serving() as harness:
        yield harness


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class TestDamagedLink:
    @pytest.mark.parametrize("room_id", [ROOM_ID, "f" * 24])
    @pytest.mark.parametrize(
        ("path", "location"),
        [
            ("/join/{}/", "../{}"),
            ("/join/{}.", "./{}"),
            ("/join/{}),", "./{}"),
            ("/join/{}%22%3E", "./{}"),
            ("/join/{}%E2%80%9D?utm_source=mail&name=Ann", "./{}?utm_source=mail&name=Ann"),
            ("/join/{}//?name=J%C3%BCrgen", "../../{}?name=J%C3%BCrgen"),
        ],
    )
    async def test_it_leads_to_the_page_that_it_means(self, room_id: str, path: str, location: str) -> None:
        """Whether there is such a room or not."""
        async with serving() as harness:
            answer = await get(harness, path.format(room_id), accept=BROWSER)
            assert answer.status == 308
            assert answer.headers["location"] == location.format(room_id)

    async def test_capital_letters_are_small_ones(self) -> None:
        async with serving() as harness:
            answer = await get(harness, f"/join/{'AB' * 12}?name=Ann", accept=BROWSER)
            assert (answer.status, answer.headers["location"]) == (308, f"./{'ab' * 12}?name=Ann")

    @pytest.mark.parametrize(
        "path", ["/join/" + "a" * 23 + "/", "/join/" + "a" * 25 + ".", "/join/../" + "a" * 24]
    )
    async def test_what_is_unclear_leads_nowhere(self, path: str) -> None:
        async with serving() as harness:
            assert (await get(harness, path, accept=BROWSER)).status == 404

    async def test_a_program_is_told_that_there_is_nothing(self) -> None:
        async with serving() as harness:
            answer = await get(harness, f"/join/{ROOM_ID}/")
            assert (answer.status, answer.code) == (404, "NOT_FOUND")

    async def test_a_line_break_in_the_query_starts_no_header(self) -> None:
        async with serving() as harness:
            answer = await get(harness, f"/join/{ROOM_ID}/?a=%0d%0aX-Evil:1", accept=BROWSER)
            assert "x-evil" not in answer.headers


class TestNotFound:
    @pytest.mark.parametrize(
        "path", ["/", "/join/", "/join", "/wp-login.php", "/join/a/b", "//", "/join/%2e%2e/healthz"]
    )
    async def test_a_browser_gets_a_page(self, path: str) -> None:
        async with serving() as harness:
            answer = await get(harness, path, accept=BROWSER)
            assert (answer.status, answer.headers["content-type"]) == (404, pages.HTML)
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            for asset in re.findall(rb'(?:href|src)="([^"]+)"', answer.body):
                target = urljoin(f"http://host{path}", asset.decode()).removeprefix("http://host")
                assert (await get(harness, target)).status == 200, target

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    async def test_another_method_gets_json(self, method: str) -> None:
        async with serving() as harness:
            answer = await get(harness, "/nothing", method, accept=BROWSER)
            assert (answer.status, answer.code) == (404, "NOT_FOUND")

    async def test_the_private_server_has_no_pages(self) -> None:
        async with serving() as harness:
            answer = await ask(harness.sidecar.private, "GET", "/nothing", headers={"accept": BROWSER})
            assert (answer.status, answer.code) == (404, "NOT_FOUND")


class TestPage:
    async def test_an_active_room_has_one_that_knows_what_to_offer(self) -> None:
        async with serving() as harness:
            offered = spec(mediaType=MediaType.AUDIO_ONLY, allow_webinar_mode=True, record=True)
            harness.put(record(spec=offered))
            answer = await get(harness, f"/join/{ROOM_ID}")
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            for attribute in (
                'data-name="Main stage"',
                'data-media="MEDIA_TYPE_AUDIO_ONLY"',
                'data-webinar="true"',
                'data-record="true"',
            ):
                assert attribute.encode() in answer.body
            assert ROOM_ID.encode() not in answer.body

    async def test_a_room_that_is_not_live_yet_has_one_too(self) -> None:
        async with serving() as harness:
            harness.state.live.clear()
            assert (await get(harness, f"/join/{ROOM_ID}")).status == 200

    async def test_what_is_no_active_room_is_all_the_same_page(self) -> None:
        async with serving() as harness:
            harness.put(replace(record(spec=spec(active=False)), id="1" * 24, key="off"))
            pages_ = [await get(harness, f"/join/{each}") for each in ("1" * 24, OTHER, "x", "A_b-9" * 90)]
            assert {answer.status for answer in pages_} == {404}
            assert len({answer.body for answer in pages_}) == 1
            assert b'data-code="ROOM_NOT_FOUND"' in pages_[0].body
            assert b"Main stage" not in pages_[0].body

    async def test_before_anything_is_known_it_says_when_to_come_back(self) -> None:
        async with serving() as harness:
            harness.state.mongodb.seen = None
            for room_id in (ROOM_ID, OTHER):
                answer = await get(harness, f"/join/{room_id}")
                assert answer.status == 503
                assert int(answer.headers["retry-after"]) > 0
                assert b'data-code="STARTING"' in answer.body

    async def test_what_is_known_too_long_ago_is_not_relied_on(self) -> None:
        async with serving() as harness:
            harness.clock.now += 301
            answer = await get(harness, f"/join/{ROOM_ID}")
            assert (answer.status, b'data-code="UNAVAILABLE"' in answer.body) == (503, True)

    @pytest.mark.parametrize("room_id", [ROOM_ID, OTHER])
    async def test_it_allows_nothing_inline_and_no_third_party(self, room_id: str) -> None:
        settings = replace(SETTINGS, livekit_public_url="wss://livekit.example:7443/path")
        async with serving(settings) as harness:
            headers = (await get(harness, f"/join/{room_id}")).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        livekit = "wss://livekit.example:7443 https://livekit.example:7443"
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "media-src": "'self' blob:",
            "connect-src": f"'self' {livekit}",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        for device in ("camera", "microphone", "display-capture"):
            assert f"{device}=(self)" in headers["permissions-policy"]

    async def test_only_the_origins_of_the_setting_may_frame_it(self) -> None:
        origins = ("https://app.example", "https://other.example:8443")
        async with serving(replace(SETTINGS, embed_origins=origins)) as harness:
            for path, ancestors in (
                ("/join/x", " ".join(origins)),
                (RECORDED, "'none'"),
                ("/openapi.json", "'none'"),
            ):
                headers = (await get(harness, path, accept=BROWSER)).headers
                assert headers["content-security-policy"].endswith(f"frame-ancestors {ancestors}")
                assert headers.get("x-frame-options") == (None if path == "/join/x" else "DENY")
            assert (
                b'data-embed-origins="https://app.example https://other.example:8443"'
                in (await get(harness, f"/join/{ROOM_ID}")).body
            )

    async def test_nobody_may_frame_it_without_the_setting(self) -> None:
        async with serving() as harness:
            assert (await get(harness, f"/join/{ROOM_ID}")).headers["x-frame-options"] == "DENY"

    async def test_a_policy_knows_no_ipv6_address(self) -> None:
        async with serving(replace(SETTINGS, livekit_public_url="ws://[::1]:7880")) as harness:
            policy = (await get(harness, f"/join/{ROOM_ID}")).headers["content-security-policy"]
        assert "connect-src 'self' ws: http:;" in policy

    @pytest.mark.parametrize("name", ["join.html", "recording.html"])
    def test_no_page_has_what_its_policy_forbids(self, name: str) -> None:
        text = (pages.FOLDER / name).read_text()
        assert not re.search(
            r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:|https?://", text
        )

    def test_the_scripts_set_text_alone_and_write_nothing_but_the_recorder_s_words(self) -> None:
        scripts = "".join(path.read_text() for path in pages.FOLDER.glob("*.js"))
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", scripts)
        written = re.findall(r"console\.[^;]+;", scripts)
        assert written == ['console.log("START_RECORDING");', 'console.log("END_RECORDING");']

    async def test_head_has_the_headers_alone(self) -> None:
        async with serving() as harness:
            whole, head = (
                await get(harness, f"/join/{ROOM_ID}"),
                await get(harness, f"/join/{ROOM_ID}", "HEAD"),
            )
            assert (head.status, head.body) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.body))
            assert (await get(harness, f"/join/{OTHER}", "HEAD")).status == 404

    async def test_other_methods_are_refused(self) -> None:
        async with serving() as harness:
            answer = await get(harness, f"/join/{ROOM_ID}", "DELETE")
            assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
            assert answer.headers["allow"] == "GET, HEAD, OPTIONS"

    async def test_an_options_is_told_which(self) -> None:
        async with serving() as harness:
            for target in (f"/join/{ROOM_ID}", f"/join/{OTHER}", "/join/assets/main.js"):
                answer = await get(harness, target, "OPTIONS")
                assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")

    async def test_a_query_changes_nothing(self) -> None:
        async with serving() as harness:
            assert (await get(harness, f"/join/{ROOM_ID}?from=mail")).status == 200

    async def test_the_private_listener_has_none(self) -> None:
        async with serving() as harness:
            for path in (
                f"/join/{ROOM_ID}",
                "/join/assets/main.js",
                RECORDED,
                "/recording/assets/recording-start.js",
            ):
                assert (await ask(harness.sidecar.private, "GET", path)).status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/join",
        "/join/",
        f"/join/{ROOM_ID}/",
        f"/join//{ROOM_ID}",
        f"//join/{ROOM_ID}",
        f"/JOIN/{ROOM_ID}",
        f"/join/./{ROOM_ID}",
        f"/x/../join/{ROOM_ID}",
        f"/join/%36{ROOM_ID[1:]}",
        f"/join%2f{ROOM_ID}",
        f"/join/{ROOM_ID}%00",
        f"/join/{ROOM_ID};x",
        f"/join/{ROOM_ID}.html",
        "/join/..",
        "/join/assets/",
        "/join/assets/..",
        "/join/assets/../join.html",
        "/join/assets/%2e%2e%2fpages.py",
        "/join/assets//main.js",
        "/join/assets/main%2ejs",
        "/join/assets/MAIN.JS",
        "/join/assets/join.html",
        "/join/assets/package.json",
        "/join/assets/.npmrc",
        "/join/assets/node_modules/livekit-client/package.json",
        "/recording",
        "/recording/",
        "/recording/template/",
        "/recording//template",
        "/recording/./template",
        "/recording%2ftemplate",
        "/recording/Template",
        "/recording/template.html",
        "/recording/assets/",
        "/recording/assets/../template",
        "/recording/assets/recording.html",
    ],
)
async def test_no_other_way_of_writing_a_path_leads_anywhere(target: str) -> None:
    async with serving() as harness:
        answer = await get(harness, target)
        assert (answer.status, answer.code) == (404, "NOT_FOUND")


class TestRecording:
    async def test_it_is_there_for_every_room_and_says_nothing_of_any(self) -> None:
        async with serving() as harness:
            answer = await get(harness, f"{RECORDED}?layout=grid&url=ws%3A%2F%2Flivekit&token=x")
            assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert (await get(harness, RECORDED)).body == answer.body
            harness.state.mongodb.seen = None
            assert (await get(harness, RECORDED)).body == answer.body

    async def test_it_reaches_any_livekit_and_nothing_else_of_others(self) -> None:
        async with serving() as harness:
            headers = (await get(harness, RECORDED)).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self'",
            "media-src": "'self' blob:",
            "connect-src": "'self' ws: wss: http: https:",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }

    async def test_it_is_kept_by_nobody_and_uses_no_device(self) -> None:
        async with serving() as harness:
            headers = (await get(harness, RECORDED)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers
        for device in ("camera", "microphone", "display-capture"):
            assert f"{device}=()" in headers["permissions-policy"]

    async def test_its_query_is_written_nowhere(
        self, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        async with serving() as harness:
            with caplog.at_level(logging.DEBUG):
                for method in ("GET", "HEAD", "DELETE"):
                    await get(harness, f"{RECORDED}?token=a-secret-token", method)
                    await get(harness, f"{RECORDED}x?token=a-secret-token", method)
        seen = capsys.readouterr()
        assert "a-secret-token" not in caplog.text + seen.out + seen.err

    async def test_head_and_options_are_answered_and_the_rest_refused(self) -> None:
        async with serving() as harness:
            whole, head = await get(harness, RECORDED), await get(harness, RECORDED, "HEAD")
            assert (head.status, head.headers["content-length"]) == (200, str(len(whole.body)))
            assert (await get(harness, RECORDED, "OPTIONS")).headers["allow"] == "GET, HEAD, OPTIONS"
            assert (await get(harness, RECORDED, "POST")).code == "METHOD_NOT_ALLOWED"


def timeless(reply: Reply) -> dict[str, str]:
    """Its headers but for the second that it was made in."""
    return {name: value for name, value in reply.headers.items() if name != "date"}


class TestAssets:
    @pytest.mark.parametrize("name", OWN)
    async def test_each_file_is_served_as_what_it_is(self, name: str) -> None:
        kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        async with serving() as harness:
            answer = await get(harness, f"/join/assets/{name}")
            other = await get(harness, f"/recording/assets/{name}")
            assert replace(answer, headers=timeless(answer)) == replace(other, headers=timeless(other))
            assert answer.status == 200
            assert answer.body == (pages.FOLDER / name).read_bytes()
            assert answer.headers["content-type"].split(";")[0] == kinds[Path(name).suffix]
            assert answer.headers["cache-control"] == "no-cache"

    async def test_what_the_page_and_its_scripts_name_is_there(self) -> None:
        """But for livekit-client, which npm brings."""
        texts = [path.read_text() for path in pages.FOLDER.iterdir() if path.suffix in (".html", ".js")]
        named = {name for text in texts for name in re.findall(r'"(?:\./|assets/)([\w.-]+)"', text)}
        assert {"main.js", "call.js", "base.css", "recording.js", "recording.css"} <= named <= set(OWN)

    async def test_who_has_it_gets_it_no_second_time(self) -> None:
        async with serving() as harness:
            tag = (await get(harness, "/join/assets/main.js")).headers["etag"]
            again = await get(harness, "/join/assets/main.js", **{"If-None-Match": tag})
            assert (again.status, again.body) == (304, b"")
            assert "content-length" not in again.headers
            changed = await get(harness, "/join/assets/main.js", **{"If-None-Match": '"another"'})
            assert changed.status == 200

    async def test_it_is_gzipped_for_who_takes_that(self) -> None:
        async with serving() as harness:
            plain = await get(harness, "/join/assets/main.js")
            packed = await get(harness, "/join/assets/main.js", **{"Accept-Encoding": "br, gzip"})
            assert packed.headers["content-encoding"] == "gzip"
            assert gzip.decompress(packed.body) == plain.body
            assert packed.headers["etag"] != plain.headers["etag"]
            assert "content-encoding" not in plain.headers

    async def test_head_has_the_headers_alone(self) -> None:
        async with serving() as harness:
            whole = await get(harness, "/join/assets/main.js")
            head = await get(harness, "/join/assets/main.js", "HEAD")
            assert (head.status, head.body) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.body))


class TestLiveKitClient:
    async def test_it_is_served_and_kept_for_ever_under_its_content(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = tmp_path / "livekit-client.umd.js"
        client.write_bytes(b"globalThis.LivekitClient = {};")
        async with with_client(client, monkeypatch) as harness:
            page = (await get(harness, f"/join/{ROOM_ID}")).body.decode()
            named = re.search(r'src="(assets/livekit-client\.umd\.js\?v=[0-9a-f]+)"', page)
            assert named is not None
            answer = await get(harness, f"/join/{named[1]}")
            assert (answer.status, answer.body) == (200, client.read_bytes())
            assert "immutable" in answer.headers["cache-control"]
            stale = await get(harness, "/join/assets/livekit-client.umd.js?v=0123456789abcdef")
            assert stale.headers["cache-control"] == "no-cache"

    async def test_without_it_the_way_to_get_it_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with with_client(tmp_path / "livekit-client.umd.js", monkeypatch) as harness:
            assert (await get(harness, f"/join/{ROOM_ID}")).status == 200
            answer = await get(harness, "/join/assets/livekit-client.umd.js")
            assert (answer.status, answer.code) == (404, "NOT_FOUND")
            assert "npm ci" in answer.json["error"]
            assert str(pages.FOLDER) not in answer.json["error"]

    def test_the_version_of_each_package_is_pinned_with_its_content(self) -> None:
        lock = (pages.FOLDER / "package-lock.json").read_text()
        dependencies = json.loads((pages.FOLDER / "package.json").read_text())["dependencies"]
        assert dependencies == {"livekit-client": "2.23.0", "swagger-ui-dist": "5.35.0"}
        assert dependencies.keys() == pages.PACKAGES.keys()
        assert lock.count('"integrity"') >= 10
        assert "resolved" not in lock
