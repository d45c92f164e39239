"""Keep to the API's request limit by what its answers say, and keep a reserve for look-ups.

Source: FACTS 2 (CONFIRMED): four X-RateLimit headers on every answer, Reset is seconds left; a fixed window an hour.
"""

import threading
import time
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from typing import Any, Final

from importer.api.wait import MAX_S, count_in

#: Requests a second as long as the API has not said what it allows (not published any more).
MILD_PER_S: Final = 4.0
_RESERVE: Final = 5


@dataclass
class Pace:
    """Say how long to wait before the next request; safe for threads."""

    #: requests a second while no limit is known; 0 does not slow
    mild_per_s: float = MILD_PER_S
    clock: Callable[[], float] = time.monotonic
    #: how many documents are in doubt: each wants a look-up
    in_doubt: int = 0
    limit: int | None = field(default=None, init=False)
    remaining: int | None = field(default=None, init=False)
    _resets_at: float = field(default=0.0, init=False)
    _next_at: float = field(default=0.0, init=False)
    _paused_until: float = field(default=0.0, init=False)
    _by_limit: bool = field(default=True, init=False)
    _lock: Any = field(default_factory=threading.Lock, init=False, repr=False)

    def observe(self, headers: Dictionary[str, str]) -> None:
        """Take note of what an answer says about the limit."""
        found = {
            name.lower(): value.strip() for name, value in headers.items() if name.lower().startswith("x-ratelimit-")
        }
        limit, remaining, reset = (
            count_in(found.get(f"x-ratelimit-{name}", "")) for name in ("limit", "remaining", "reset")
        )
        if remaining is None:
            return
        with self._lock:
            self.limit = self.limit if limit is None else limit
            self.remaining = remaining
            if reset is not None:
                self._resets_at = self.clock() + min(reset, MAX_S)

    def pause(self, seconds: float, *, by_limit: bool = True) -> None:
        """Let nobody ask anything for so long, since the API wants it so by its limit or for another reason."""
        until = self.clock() + seconds
        with self._lock:
            if until > self._paused_until:
                self._paused_until, self._by_limit = until, by_limit

    @property
    def is_paused(self) -> bool:
        """Tell whether nobody is to ask anything now."""
        return self.clock() < self._paused_until

    @property
    def is_interrupted(self) -> bool:
        """Tell whether nobody is to ask anything now, for a reason that is not the API's limit."""
        return self.is_paused and not self._by_limit

    def doubt(self) -> None:
        """Count one more document in doubt, for which a look-up is kept in reserve."""
        with self._lock:
            self.in_doubt += 1

    def delay_s(self, *, write: bool) -> float:
        """Return how long to wait before asking again; 0 counts the request as made.

        Units: seconds. A write leaves the reserve for look-ups untouched; a look-up may use it.
        """
        with self._lock:
            now = self.clock()
            if now < self._paused_until:
                return self._paused_until - now
            if self.remaining is None:
                if not self.mild_per_s:
                    return 0.0
                if now < self._next_at:
                    return self._next_at - now
                self._next_at = now + 1.0 / self.mild_per_s
                return 0.0
            if now >= self._resets_at:
                self.remaining = None if self.limit is None else self.limit
            if self.remaining is None:
                return 0.0
            if self.remaining > (self._reserve() if write else 0):
                self.remaining -= 1
                return 0.0
            return self._resets_at - now

    def _reserve(self) -> int:
        """Return how many requests of a window writes leave alone; small windows keep less."""
        wanted = _RESERVE + self.in_doubt
        return min(wanted, max((self.limit or wanted * 10) // 10, 1 if self.in_doubt else 0))

    def predict_s(self, requests: int, seconds_each: float) -> float:
        """Return how long a number of requests will take, as far as the limit is known.

        Units: seconds.
        """
        work = requests * max(
            seconds_each, 0.0 if self.remaining is not None or not self.mild_per_s else 1 / self.mild_per_s
        )
        if self.limit is None or self.remaining is None:
            return work
        free = max(self.remaining - self._reserve(), 0)
        if requests <= free:
            return work
        per_window = max(self.limit - self._reserve(), 1)
        windows = -(-(requests - free) // per_window)
        to_reset = max(self._resets_at - self.clock(), 0.0)
        return max(work, to_reset + (windows - 1) * 3600.0)
