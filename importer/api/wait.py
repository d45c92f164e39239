"""Read from an answer how long the API wants us to wait."""

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


def seconds_to_wait(answer: Answer) -> float:
    """Return how long to wait before the same request.

    Units: seconds. Source: FACTS 2 (CONFIRMED): Retry-After is whole seconds, X-RateLimit-Reset seconds left.
    """
    if answer.status == _TOO_EARLY:
        return 1.0
    by_name = {name.lower(): value.strip() for name, value in answer.headers.items()}
    after = by_name.get("retry-after", "")
    if after and count_in(after) is None and "date" in by_name:
        try:
            delta = parsedate_to_datetime(after) - parsedate_to_datetime(by_name["date"])
        except (ValueError, TypeError, OverflowError):
            return _DEFAULT_S
        return min(max(delta.total_seconds(), 0.0), MAX_S)
    for text in (after, by_name.get("x-ratelimit-reset", "")):
        seconds = count_in(text)
        if seconds is not None:
            return min(seconds, MAX_S)
    return _DEFAULT_S
