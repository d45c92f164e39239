"""What the API says may be as long as it likes: a report costs time in proportion."""

import time

import pytest

from importer.report.troubles import _kind


def seconds(message: str) -> float:
    """Return the least of a few times, of work alone, that it takes to tell what kind a message is."""
    found = []
    for _ in range(3):
        began = time.thread_time()
        _kind(message)
        found.append(time.thread_time() - began)
    return min(found)


@pytest.mark.parametrize("piece", ["x", "x ", "'", "x'", "1", "a-", "--key "])
def test_ten_times_the_message_costs_about_ten_times_the_time(piece: str) -> None:
    """A word of 40,000 letters once took a minute and a half: each of its letters was tried as a beginning."""
    assert seconds(piece * 60_000) < 40 * max(seconds(piece * 6_000), 1e-4)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Line 12 of F-0007/2 is 'x' long.", "Line … of F-… is … long."),
        ("resolve --key abc --accepted", "resolve --key … --accepted"),
        ("abc1def 12.50 no", "… … no"),
        ("F-AB1", "F-…"),
    ],
)
def test_what_varies_within_a_kind_is_left_out(message: str, kind: str) -> None:
    """Quoted values, keys, and words that hold a digit."""
    assert _kind(message) == kind
