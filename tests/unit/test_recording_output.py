"""Where recordings go: what may be written, what names come of it, and whose they are."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.manifests.keys import KEY_PATTERN, is_key
from controller.recording_output import RecordingOutput
from tests.support.rooms import NOW, room

ID, OTHER = room(1).id, room(2).id
GOOD = (
    "file:///recordings/{key}/{start}-{id}.mp4",
    "file:///recordings/{key}-{id}.mp4",
    "file:///recordings/{key}.mp4",
    "file:///recordings/{room_id}/{start}.mp4",
    "file:///{start}/{key}_{id}.mp4",
    "file:///re.c+o/{key}/{id}.mp4",
    "s3://a-bucket/{key}/{start}-{id}.mp4",
    "s3://a-bucket/prefix/{key}/{id}.mp4",
    "s3://a-bucket/{room_id}-{start}-{id}.mp4",
)

keys = st.one_of(
    st.from_regex(KEY_PATTERN).filter(is_key),
    st.lists(st.sampled_from(["a", "b", "a-b", "a.b", "a_b", "x"]), min_size=1, max_size=3).map("/".join),
    st.sampled_from([f"api/{ID}", f"api/{OTHER}"]),
)
outputs = st.sampled_from(GOOD).map(RecordingOutput.read)
words = st.from_regex(r"\A[0-9a-f]{12}\Z")
starts = st.integers(0, 10**9).map(lambda seconds: NOW + timedelta(seconds=seconds))


def location(output: RecordingOutput, key: str, room_id: str, chance: str = "0123456789ab") -> str:
    return output.location(output.path(key, room_id, NOW, chance))


@given(outputs, keys, starts, words)
def test_every_name_is_known_to_be_its_rooms(
    output: RecordingOutput, key: str, start: object, chance: str
) -> None:
    path = output.path(key, ID, start, chance)  # type: ignore[arg-type]
    assert output.is_of(output.location(path), key, ID)


@given(outputs, keys, words, words)
def test_two_names_of_one_room_and_one_moment_are_two(
    output: RecordingOutput, key: str, one: str, two: str
) -> None:
    assert (one == two) == (location(output, key, ID, one) == location(output, key, ID, two))


@given(outputs, keys, keys)
def test_a_name_of_another_room_is_not_this_ones(output: RecordingOutput, key: str, other: str) -> None:
    if key != other:
        assert not output.is_of(location(output, other, OTHER), key, ID)


@pytest.mark.parametrize("text", [text for text in GOOD if "{key}" in text])
@pytest.mark.parametrize("other", ["a/b", "a-b", "a.b", "a_b", "b/a", "b", "A", "aa"])
def test_a_key_within_a_key_is_another_room(text: str, other: str) -> None:
    output = RecordingOutput.read(text)
    assert not output.is_of(location(output, other, OTHER), "a", ID)
    assert not output.is_of(location(output, "a", ID), other, OTHER)


@pytest.mark.parametrize(
    "foreign", ["", "/recordings/a/x-y.mp4.part", "/elsewhere/a/x-y.mp4", "s3://b/recordings/a/x-y.mp4"]
)
def test_what_was_written_elsewhere_is_nobodys(foreign: str) -> None:
    assert not RecordingOutput.read(GOOD[0]).is_of(foreign, "a", ID)


def test_a_name_begins_with_its_moment_so_that_names_sort_as_they_began() -> None:
    output = RecordingOutput.read(GOOD[0])
    assert output.path("a", ID, NOW, "ff") == "/recordings/a/20260324T160000Z-ff.mp4"
    assert output.path("a", ID, NOW, "ff") < output.path("a", ID, NOW + timedelta(seconds=1), "00")


def test_an_object_is_told_with_its_bucket() -> None:
    output = RecordingOutput.read("s3://a-bucket/{key}/{id}.mp4")
    path = output.path("events/a", ID, NOW, "ff")
    assert (path, output.bucket) == ("events/a/ff.mp4", "a-bucket")
    assert output.location(path) == "s3://a-bucket/events/a/ff.mp4"


def test_a_name_that_could_collide_gets_a_random_part() -> None:
    assert RecordingOutput.read("file:///r/{key}.mp4").template == "/r/{key}-{id}.mp4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/recordings/{id}.mp4", "must start with file:// or s3://"),
        ("https://host/{id}.mp4", "must start with file:// or s3://"),
        ("file:///r/{room}.mp4", "unknown placeholder {room}; use {key} {room_id} {start} {id}"),
        ("file:///r/{}.mp4", "unknown placeholder {}"),
        ("file://r/{id}.mp4", "the path must be absolute"),
        ("file://", "the path must be absolute"),
        ("s3:///{id}.mp4", "invalid or missing bucket name"),
        ("s3://A_BUCKET/{id}.mp4", "invalid or missing bucket name"),
        ("s3://key:secret@bucket/{id}.mp4", "invalid or missing bucket name"),
        ("s3://a-bucket", "must end with a file name and .mp4"),
        ("file:///r/{id}.mkv", "must end with a file name and .mp4"),
        ("file:///r/.mp4", "must end with a file name and .mp4"),
        ("file:///r/../{id}.mp4", "path contains '/../', which is not allowed"),
        ("file:///r//{id}.mp4", "path contains '//', which is not allowed"),
        ("file:///r/{id.mp4", "path contains '{', which is not allowed"),
        ("file:///r/id}.mp4", "path contains '}', which is not allowed"),
        ("file:///r/\n{id}.mp4", "path contains '\\n', which is not allowed"),
        ("file:///r/{id}.mp4?x=.mp4", "path contains '?', which is not allowed"),
        ("s3://a-bucket//{id}.mp4", "path contains '//', which is not allowed"),
        ("s3://a-bucket/über/{id}.mp4", "path contains 'ü', which is not allowed"),
    ],
)
def test_a_wrong_text_is_refused_and_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        RecordingOutput.read(text)
    assert str(refused.value).startswith(said)


@given(
    st.text(max_size=30) | st.text(max_size=20).map("file:///{}".format) | st.text().map("s3://abc/{}".format)
)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        output = RecordingOutput.read(text)
    except ValueError:
        return
    assert output.is_of(location(output, "a", ID), "a", ID)
