"""Read from an answer how long the API wants us to wait."""

from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Final

from importer.api.client import Answer

#: Not processed: too early, too many requests.
TURNED_AWAY: Final = frozenset({425, 429})
_DEFAULT_S: Final = 60.0
#: The window of the API's limit, and so the longest wait that makes sense.
MAX_S: Final = 3600.0
_DIGITS: Final = 9
_TOO_EARLY: Final = 425


def count_in(text: str) -> int | None:
    """Return the whole number that a header's value is, as the API writes one; None where it is none.

    One of more digits than anything here is counted in is the largest that counts.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= _DIGITS else 10**_DIGITS - 1


def retry_after_s(answer: Answer) -> float | None:
    """Return how long an answer says to wait before the same request; None where it does not.

    Units: seconds. Source: FACTS 2 (CONFIRMED): Retry-After is whole seconds; a date counts by the server's own clock.
    """
    after, date = ((answer.header(name) or "").strip() for name in ("Retry-After", "Date"))
    seconds: float | None = count_in(after)
    if seconds is None and after and date:
        with suppress(ValueError, TypeError, OverflowError):
            seconds = (parsedate_to_datetime(after) - parsedate_to_datetime(date)).total_seconds()
    return None if seconds is None else min(max(seconds, 0.0), MAX_S)


def seconds_to_wait(answer: Answer) -> float:
    """Return how long to wait before a request that was turned away is sent again.

    Units: seconds. Source: FACTS 2 (CONFIRMED): X-RateLimit-Reset is the seconds left.
    """
    if answer.status == _TOO_EARLY:
        return 1.0
    after = retry_after_s(answer)
    if after is not None:
        return after
    reset = count_in((answer.header("X-RateLimit-Reset") or "").strip())
    return _DEFAULT_S if reset is None else min(reset, MAX_S)
