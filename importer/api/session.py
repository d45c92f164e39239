"""Exchange requests with one company: token, pace, and what may be sent again because it was not processed.

A write goes out again only after 401 (once, with another token): the API turned it away before any work. After 425 and
429 it may go again too, but whoever wrote it waits, so that no claim is open meanwhile. A read goes out again after
every failure that may pass.
"""

import time
from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

from importer.api.client import Answer, Client, NoAnswer
from importer.api.pace import Pace
from importer.api.token import TokenSource
from importer.api.wait import TURNED_AWAY, retry_after_s, seconds_to_wait
from importer.errors import TargetError

_UNAUTHORIZED: Final = 401
_PASSING: Final = frozenset({408, 500, 502, 503, 504})
_READ_TRIES: Final = 5
#: Seconds between two tries of a read; those of one read add up to five minutes at most.
_MOST_BETWEEN_S: Final = 75.0
_LAST_YEAR: Final = 9999


def ignore_wait(_seconds: float) -> bool:
    """Wait not at all; nobody stops it."""
    return False


def read_clocks() -> tuple[float, float]:
    """Read both clocks: one does not count while a machine sleeps, the other may be set."""
    return time.monotonic(), time.time()


@dataclass
class Session:
    """Exchange requests with one company."""

    client: Client
    tokens: TokenSource | None = None
    pace: Pace = field(default_factory=lambda: Pace(mild_per_s=0.0))
    #: waits a number of seconds for the API's request limit; true when somebody stopped the run meanwhile
    wait: Callable[[float], bool] = ignore_wait
    #: the same where the limit is not the reason; None is the same indeed
    wait_again: Callable[[float], bool] | None = None
    clocks: Callable[[], tuple[float, float]] = read_clocks
    #: the server's time as an answer told it, and when by our clocks
    _server_time: tuple[datetime, tuple[float, float]] | None = field(default=None, init=False)
    #: as the answer told it, which is the same within a second
    _date: str = field(default="", init=False)

    def server_now(self) -> datetime:
        """Return the time by the server's clock, as far as an answer has told it; else by ours.

        After the machine has slept it is behind until the next answer, so that nothing counts as settled too early.
        """
        seen, passed = self._since_told()
        return seen + timedelta(seconds=passed[0])

    def server_latest(self) -> datetime:
        """Return the latest that it can be by the server's clock, so that what is sent now never counts as older."""
        seen, passed = self._since_told()
        return seen + timedelta(seconds=max(passed))

    def _since_told(self) -> tuple[datetime, tuple[float, float]]:
        """Return the server's time as it was told last, and the seconds since then by each of our clocks."""
        if self._server_time is None:
            return datetime.now(UTC), (0.0, 0.0)
        seen, (counter, wall) = self._server_time
        counted, shown = self.clocks()
        return seen, (counted - counter, shown - wall)

    def _note_time(self, answer: Answer) -> None:
        text = answer.header("Date") or ""
        if text == self._date:
            return
        self._date = text
        with suppress(ValueError, TypeError, OverflowError):
            seen = parsedate_to_datetime(text)
            # the last year leaves no later time
            if seen.year < _LAST_YEAR:
                self._server_time = (seen if seen.tzinfo else seen.replace(tzinfo=UTC), self.clocks())

    def pause(self, seconds: float) -> bool:
        """Wait before something is asked for again; true when somebody stopped the run meanwhile."""
        return (self.wait_again or self.wait)(seconds)

    def _keep_pace(self, seconds: float) -> bool:
        """Wait as long as the pace wants it; true when somebody stopped the run meanwhile."""
        return self.pause(seconds) if self.pace.is_interrupted else self.wait(seconds)

    def turn(self, before: Callable[[], None] = lambda: None) -> bool:
        """Wait until a write may go out, doing something first; false when somebody stopped the run meanwhile."""
        while (delay := self.pace.delay_s(write=True)) > 0:
            before()
            if self._keep_pace(delay):
                return False
        return True

    def write(
        self, method: str, path: str, body: bytes, headers: Dictionary[str, str] | None = None
    ) -> Answer | NoAnswer:
        """Send a write once, its turn having come; again only after 401, with another token."""
        return self._authorized(method, path, body, dict(headers or {}))

    def read(self, path: str, query: Dictionary[str, str] | None = None) -> Answer | NoAnswer:
        """Read, as often as it takes within reason."""
        if query:
            path += "?" + "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query.items())
        for attempt in range(_READ_TRIES):
            result = self._paced(path)
            if isinstance(result, NoAnswer):
                passing = not result.final
            else:
                passing = result.status in _PASSING or not result.whole
            if not passing or attempt == _READ_TRIES - 1 or self.pause(_before_again_s(result, attempt)):
                break
        return result

    def _paced(self, path: str) -> Answer | NoAnswer:
        while True:
            delay = self.pace.delay_s(write=False)
            if delay > 0:
                if self._keep_pace(delay):
                    return NoAnswer(sent=False, reason="stopped by hand while it waited for its turn")
                continue
            result = self._authorized("GET", path, None, {})
            if isinstance(result, NoAnswer) or result.status not in TURNED_AWAY or self.wait(seconds_to_wait(result)):
                return result

    def _authorized(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer | NoAnswer:
        renewed = False
        while True:
            try:
                token = self.tokens.token() if self.tokens else None
            except TargetError as error:
                return NoAnswer(sent=False, reason=str(error), final=True)
            result = self.client.exchange(method, path, body, {**headers, **_bearer(token)})
            if isinstance(result, NoAnswer):
                return result
            self.pace.observe(result.headers)
            self._note_time(result)
            if result.status == _UNAUTHORIZED and self.tokens and token and not renewed:
                renewed = True
                try:
                    self.tokens.renew(token)
                except TargetError as error:
                    return NoAnswer(sent=False, reason=str(error), final=True)
            else:
                return result


def _before_again_s(failed: Answer | NoAnswer, attempt: int) -> float:
    """Return how long to wait before a read that failed is tried again: longer each time, and as long as it was told.

    Units: seconds.
    """
    told = retry_after_s(failed) if isinstance(failed, Answer) else None
    return max(0.25 * (1 << attempt), min(told or 0.0, _MOST_BETWEEN_S))


def _bearer(token: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
