"""Token buckets, and whom a request is counted under."""

import time

import pytest

from controller.sidecar.http import limits
from controller.sidecar.http.limits import AddressLimit, RateLimiter
from controller.sidecar.http.response import ApiError


def taken(limiter: RateLimiter, key: str, now: float, tries: int) -> int:
    """How many of `tries` are let through."""
    through = 0
    for _ in range(tries):
        try:
            limiter.take(key, now)
        except ApiError:
            continue
        through += 1
    return through


def test_a_bucket_holds_ten_seconds_worth_and_fills_again() -> None:
    limiter = RateLimiter(20)
    assert taken(limiter, "a", 0, 1000) == 200
    assert taken(limiter, "b", 0, 1000) == 200
    assert taken(limiter, "a", 0.5, 1000) == 10
    assert taken(limiter, "a", 100, 1000) == 200


def test_a_rate_of_zero_is_no_limit() -> None:
    assert taken(RateLimiter(0), "a", 0, 1000) == 1000


def test_a_flood_of_keys_is_forgotten_but_for_the_emptiest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 10)
    limiter = RateLimiter(1)
    assert taken(limiter, "greedy", 0, 20) == 10
    for n in range(100):
        limiter.take(f"once-{n}", 0)
    assert taken(limiter, "greedy", 0, 5) == 0


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ((), "192.0.2.1", ["198.51.100.1"], "192.0.2.1"),
        (("192.0.2.0/24",), "192.0.2.1", ["198.51.100.1"], "198.51.100.1"),
        (("192.0.2.0/24",), "203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
        (("192.0.2.0/24",), "192.0.2.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        (("192.0.2.0/24",), "192.0.2.1", ["198.51.100.1, 192.0.2.7"], "198.51.100.1"),
        (("192.0.2.0/24",), "192.0.2.1", ["198.51.100.1", "192.0.2.7"], "198.51.100.1"),
        (("192.0.2.0/24",), "192.0.2.1", ["198.51.100.1, nonsense"], "192.0.2.1"),
        (("192.0.2.0/24",), "192.0.2.1", [], "192.0.2.1"),
        (("192.0.2.0/24",), "192.0.2.1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (("192.0.2.1",), "192.0.2.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        (("192.0.2.1",), "192.0.2.1", ["198.51.100.1:4711"], "198.51.100.1"),
        (("192.0.2.1",), "192.0.2.1", ["[2001:db8:1:2::9]:4711"], "2001:db8:1:2::/64"),
        ((), "2001:db8:1:2::9", [], "2001:db8:1:2::/64"),
        ((), "", [], ""),
    ],
)
def test_the_nearest_untrusted_address_counts(
    trusted: tuple[str, ...], peer: str, forwarded: list[str], client: str
) -> None:
    assert AddressLimit(0, trusted, time.monotonic).client(peer, forwarded) == client
