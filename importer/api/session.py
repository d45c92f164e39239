"""Exchange requests with one company: token, pace, and what may be sent again because it was not processed.

A write goes out again only after 401 (once, with another token), 425 and 429: the API turned it away before any work.
A read goes out again after every failure that may pass.
"""

from collections.abc import Callable
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from importer.api.client import Answer, Client, NoAnswer
from importer.api.pace import Pace
from importer.api.token import TokenSource
from importer.api.wait import seconds_to_wait
from importer.errors import TargetError

_UNAUTHORIZED: Final = 401
_TURNED_AWAY: Final = frozenset({425, 429})
_PASSING: Final = frozenset({408, 500, 502, 503, 504})
_READ_TRIES: Final = 5


def ignore_wait(_seconds: float) -> bool:
    """Wait not at all; nobody stops it."""
    return False


@dataclass
class Session:
    """Exchange requests with one company."""

    client: Client
    tokens: TokenSource | None = None
    pace: Pace = field(default_factory=lambda: Pace(mild_per_s=0.0))
    #: waits a number of seconds; true when somebody stopped the run meanwhile
    wait: Callable[[float], bool] = ignore_wait

    def write(
        self, method: str, path: str, body: bytes, headers: Dictionary[str, str] | None = None
    ) -> Answer | NoAnswer:
        """Send a write once; again only where the API turned it away unprocessed."""
        return self._exchange(method, path, body, dict(headers or {}), write=True)

    def read(self, path: str, query: Dictionary[str, str] | None = None) -> Answer | NoAnswer:
        """Read, as often as it takes within reason."""
        if query:
            path += "?" + "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query.items())
        for attempt in range(_READ_TRIES):
            result = self._exchange("GET", path, None, {}, write=False)
            if isinstance(result, NoAnswer):
                passing = not result.final
            else:
                passing = result.status in _PASSING or not result.whole
            if not passing or attempt == _READ_TRIES - 1 or self.wait(0.25 * 2**attempt):
                break
        return result

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], *, write: bool
    ) -> Answer | NoAnswer:
        renewed = False
        while True:
            delay = self.pace.delay_s(write=write)
            if delay > 0:
                if self.wait(delay):
                    return NoAnswer(sent=False, reason="stopped by hand while it waited for the API's request limit")
                continue
            try:
                token = self.tokens.token() if self.tokens else None
            except TargetError as error:
                return NoAnswer(sent=False, reason=str(error), final=True)
            result = self.client.exchange(method, path, body, {**headers, **_bearer(token)})
            if isinstance(result, NoAnswer):
                return result
            self.pace.observe(result.headers)
            if result.status == _UNAUTHORIZED and self.tokens and token and not renewed:
                renewed = True
                try:
                    self.tokens.renew(token)
                except TargetError as error:
                    return NoAnswer(sent=False, reason=str(error), final=True)
            elif result.status in _TURNED_AWAY:
                if self.wait(seconds_to_wait(result)):
                    return result
            else:
                return result


def _bearer(token: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
