"""What the doctor says of recording, where LiveKit answers."""

from dataclasses import replace

import pytest

from controller.cli.doctor import Mark, about_recording
from controller.outputs import Output
from controller.settings import Settings

SETTINGS = Settings(
    livekit_url="https://livekit.example.com",
    recording_output=Output.read("file:///recordings/{key}/{id}.mp4"),
    recording_page_url="https://rooms.example.com",
)


def test_without_an_output_the_setting_is_named() -> None:
    found = about_recording(replace(SETTINGS, recording_output=None), 0)
    assert found.mark is Mark.OK
    assert "set ROOMCTL_RECORDING_OUTPUT" in found.text


@pytest.mark.parametrize(
    ("running", "said"), [(0, "no egress now"), (1, "1 egress now"), (2, "2 egresses now")]
)
def test_what_is_at_work_is_counted_and_what_cannot_be_known_is_said(running: int, said: str) -> None:
    found = about_recording(SETTINGS, running)
    assert found.mark is Mark.OK
    assert said in found.text
    assert "whether a worker is free shows when one is asked for" in found.text


HERE = ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "http://0.0.0.0:8080"]


@pytest.mark.parametrize("page", HERE)
def test_a_page_that_only_this_host_reaches_is_a_warning(page: str) -> None:
    found = about_recording(replace(SETTINGS, recording_page_url=page), 0)
    assert found.mark is Mark.WARN
    assert page in found.text
    assert "set ROOMCTL_RECORDING_PAGE_URL" in found.text


@pytest.mark.parametrize("page", HERE)
def test_beside_a_livekit_on_this_host_it_is_none(page: str) -> None:
    here = replace(SETTINGS, livekit_url="http://127.0.0.1:7880", recording_page_url=page)
    assert about_recording(here, 0).mark is Mark.OK
