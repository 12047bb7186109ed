"""What the doctor says of recording, where LiveKit answers."""

from dataclasses import replace

import pytest

from controller.cli.checks import Severity
from controller.cli.doctor import about_no_output, about_recording, about_s3
from controller.recording_output import RecordingOutput
from controller.settings import Settings

SETTINGS = Settings(
    livekit_url="https://livekit.example.com",
    recording_output=RecordingOutput.read("file:///recordings/{key}/{id}.mp4"),
    recording_page_url="https://rooms.example.com",
)


@pytest.mark.parametrize(("wanted", "mark"), [(0, Severity.OK), (2, Severity.WARN)])
def test_without_an_output_the_setting_is_named(wanted: int, mark: Severity) -> None:
    result = about_no_output(wanted)
    assert result.severity is mark
    assert "set ROOMCTL_RECORDING_OUTPUT" in result.text


@pytest.mark.parametrize(
    ("running", "said"),
    [(0, "0 active recordings"), (1, "1 active recording "), (2, "2 active recordings")],
)
def test_what_is_at_work_is_counted_and_what_cannot_be_known_is_said(running: int, said: str) -> None:
    result = about_recording(SETTINGS, running)
    assert result.severity is Severity.OK
    assert said in result.text
    assert "worker availability is not checked" in result.text


HERE = ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "http://0.0.0.0:8080"]


@pytest.mark.parametrize("page", HERE)
def test_a_page_that_only_this_host_reaches_is_a_warning(page: str) -> None:
    result = about_recording(replace(SETTINGS, recording_page_url=page), 0)
    assert result.severity is Severity.WARN
    assert page in result.text
    assert "set ROOMCTL_RECORDING_PAGE_URL" in result.text


@pytest.mark.parametrize("page", HERE)
def test_beside_a_livekit_on_this_host_it_is_none(page: str) -> None:
    here = replace(SETTINGS, livekit_url="http://127.0.0.1:7880", recording_page_url=page)
    assert about_recording(here, 0).severity is Severity.OK


S3 = replace(
    SETTINGS,
    recording_s3_endpoint="https://s3.example.com",
    recording_s3_access_key="AKIA-nobody-may-see",
    recording_s3_secret="hush-hush",
)


@pytest.mark.parametrize(
    ("output", "said"),
    [(SETTINGS.recording_output, "recordings go to a file"), (None, "recording is disabled")],
)
def test_settings_of_s3_that_nothing_uses_are_named_and_their_values_are_not(
    output: RecordingOutput | None, said: str
) -> None:
    (result,) = about_s3(replace(S3, recording_output=output))
    assert result.severity is Severity.WARN
    names, _, text = result.text.partition(": ")
    assert names.split(", ") == [
        f"ROOMCTL_RECORDING_S3_{name}" for name in ("ENDPOINT", "ACCESS_KEY", "SECRET")
    ]
    assert text.startswith("not used")
    assert said in result.text
    assert not [value for value in ("s3.example", "AKIA", "hush") if value in result.text]


def test_settings_of_s3_that_are_used_are_no_line() -> None:
    assert not list(about_s3(replace(S3, recording_output=RecordingOutput.read("s3://abc/{key}/{id}.mp4"))))


def test_without_settings_of_s3_there_is_no_line_of_them() -> None:
    assert not list(about_s3(SETTINGS))
