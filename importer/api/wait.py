"""Read from an answer how long the API wants us to wait."""

from email.utils import parsedate_to_datetime
from typing import Final

from importer.api.client import Answer

#: Not processed: too early, too many requests.
TURNED_AWAY: Final = frozenset({425, 429})
_DEFAULT_S: Final = 60.0
_MAX_S: Final = 3600.0
_TOO_EARLY: Final = 425


def is_count(text: str) -> bool:
    """Tell whether a header's value is a whole number, as the API writes one."""
    return text.isascii() and text.isdigit()


def seconds_to_wait(answer: Answer) -> float:
    """Return how long to wait before the same request.

    Units: seconds. Source: FACTS 2 (CONFIRMED): Retry-After is whole seconds, X-RateLimit-Reset seconds left.
    """
    if answer.status == _TOO_EARLY:
        return 1.0
    by_name = {name.lower(): value.strip() for name, value in answer.headers.items()}
    after = by_name.get("retry-after", "")
    if after and not is_count(after) and "date" in by_name:
        try:
            delta = parsedate_to_datetime(after) - parsedate_to_datetime(by_name["date"])
        except (ValueError, TypeError):
            return _DEFAULT_S
        return min(max(delta.total_seconds(), 0.0), _MAX_S)
    for text in (after, by_name.get("x-ratelimit-reset", "")):
        if is_count(text):
            return min(int(text), _MAX_S)
    return _DEFAULT_S
