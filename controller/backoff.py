"""When to retry after a failure. Pure; times are monotonic, in seconds."""


class Backoff:
    """When a failed key may be retried: doubling, capped, with jitter, reset on success."""

    def __init__(self, first: float = 0.5, cap: float = 10.0) -> None:
        self._first, self._cap = first, cap
        self._failed: dict[str, tuple[int, float]] = {}

    def failed(self, key: str, now: float, chance: float) -> float:
        """Count a failure; the delay until the next try, between half and all of the doubled one."""
        count = self._failed.get(key, (0, 0.0))[0] + 1
        delay = min(self._cap, self._first * 2.0 ** min(count - 1, 16)) * (0.5 + chance / 2)
        self._failed[key] = (count, now + delay)
        return delay

    def succeeded(self, key: str) -> None:
        self._failed.pop(key, None)

    def clear(self) -> None:
        """The server is available again: all keys may be retried at once."""
        self._failed.clear()

    def is_backing_off(self, key: str, now: float) -> bool:
        return key in self._failed and now < self._failed[key][1]

    def count(self, key: str) -> int:
        return self._failed[key][0] if key in self._failed else 0
