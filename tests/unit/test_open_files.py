"""A low limit of open files lowers the number of connections, and leaves descriptors for the rest."""

import pytest

from controller.daemon import OPEN_FILES, connections_within
from controller.sidecar.http.protocol import MAX_CONNECTIONS


@pytest.mark.parametrize(
    ("open_files", "connections"),
    [(OPEN_FILES, MAX_CONNECTIONS), (10**6, MAX_CONNECTIONS), (1024, 256), (256, 64), (2, 1)],
)
def test_connections_follow_the_limit_of_open_files(open_files: int, connections: int) -> None:
    assert connections_within(open_files) == connections


@pytest.mark.parametrize("open_files", range(4, OPEN_FILES, 97))
def test_guests_never_take_more_than_half_of_a_low_limit(open_files: int) -> None:
    assert open_files - 2 * connections_within(open_files) >= min(512, open_files // 2)
