"""The API's request limit is kept by waiting, and a reserve is left for look-ups."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sessions import CUSTOMERS, Clock, company, company_session, sent, status, writes

from importer.api.pace import Pace
from importer.target import sandbox_target


def test_250_writes_through_windows_of_100_need_waits_only(tmp_path: Path) -> None:
    """No document fails for the limit, none is turned away, and a few requests of each window stay for look-ups."""
    clock = Clock()
    with company(tmp_path, limit_per_hour=100, clock=clock) as box:
        with company_session(box, pace=Pace(clock=clock), wait=clock.wait) as session:
            assert {sent(session) for _ in range(250)} == {201}
        assert writes(box) == [201] * 250

    long = [seconds for seconds in clock.waits if seconds > 1]
    assert len(long) == 2, "one wait for each window that was used up"
    assert sum(clock.waits) <= 2 * 3600 + 10


def test_several_threads_share_one_window(tmp_path: Path) -> None:
    """What one learns of the limit, all keep to, and every document is accepted in the end."""
    with company(tmp_path, limit_per_hour=40, window_s=2) as box:
        with company_session(box, pace=Pace(mild_per_s=0.0), wait=_really_wait) as session:
            assert status(session.read(CUSTOMERS)) == 200
            with ThreadPoolExecutor(8) as pool:
                assert [job.result(60) for job in [pool.submit(sent, session) for _ in range(70)]] == [201] * 70
        assert writes(box).count(201) == 70


def _really_wait(seconds: float) -> bool:
    time.sleep(min(seconds, 2.5))
    return False


def limits(remaining: int, reset: int = 1800, limit: int = 500) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
        "X-RateLimit-Policy": "4-fixed-window",
    }


def test_a_reserve_is_kept_for_look_ups() -> None:
    """A write leaves the last requests of a window alone, more of them while documents are in doubt; a read may go."""
    clock = Clock()
    pace = Pace(clock=clock)
    pace.observe(limits(remaining=8, reset=600))
    went = [pace.delay_s(write=True) for _ in range(4)]
    assert went == [0.0, 0.0, 0.0, 600.0]
    assert [pace.delay_s(write=False) for _ in range(6)] == [0.0] * 5 + [600.0]

    pace.observe(limits(remaining=20, reset=600))
    pace.in_doubt = 12
    assert [pace.delay_s(write=True) for _ in range(4)] == [0.0, 0.0, 0.0, 600.0]
    clock.now += 600
    assert pace.delay_s(write=True) == 0.0, "a new window begins"


def test_a_small_window_is_not_all_reserve() -> None:
    """Where the API allows little, writes still go out."""
    pace = Pace(clock=Clock())
    pace.observe(limits(remaining=3, limit=3, reset=60))

    assert [pace.delay_s(write=True) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_the_mild_default_holds_only_until_a_limit_is_known() -> None:
    """Four requests a second at first; with the first header what remains decides, and it is not slowed."""
    clock = Clock()
    pace = Pace(clock=clock)
    assert [pace.delay_s(write=True) for _ in range(3)] == [0.0, 0.25, 0.25], "who has to wait takes no turn"
    clock.now += 0.25
    assert [pace.delay_s(write=True) for _ in range(2)] == [0.0, 0.25]
    pace.observe({"Content-Type": "application/json"})
    assert pace.delay_s(write=False) == 0.25
    pace.observe(limits(remaining=400))
    assert [pace.delay_s(write=True) for _ in range(300)] == [0.0] * 300


def test_a_paced_session_keeps_to_the_mild_default(tmp_path: Path) -> None:
    """Where the API names no limit, twelve requests take about three seconds, and each goes out."""
    clock = Clock()
    with company(tmp_path) as box, company_session(box, pace=Pace(clock=clock), wait=clock.wait) as session:
        assert {sent(session) for _ in range(6)} == {201}
        assert {status(session.read(CUSTOMERS)) for _ in range(6)} == {200}

    assert 2.5 <= sum(clock.waits) <= 3.5


@pytest.mark.parametrize(
    ("headers", "requests", "each", "low", "high"),
    [
        (None, 100, 0.1, 25.0, 25.0),
        (None, 100, 1.0, 100.0, 100.0),
        (limits(400), 100, 0.1, 10.0, 10.0),
        (limits(100, reset=1800), 250, 0.1, 1800.0, 1830.0),
        (limits(100, reset=1800), 800, 0.1, 1800.0 + 3600.0, 1800.0 + 3600.0 + 30.0),
        (limits(0, reset=60, limit=100), 95, 0.1, 60.0, 75.0),
    ],
)
def test_the_duration_is_predicted_from_what_is_known(
    headers: dict[str, str] | None, requests: int, each: float, low: float, high: float
) -> None:
    """The work, the mild default or the windows that have to be waited for, whichever lasts longer."""
    pace = Pace(clock=Clock())
    if headers:
        pace.observe(headers)

    assert low <= pace.predict_s(requests, each) <= high


def test_a_header_that_makes_no_sense_is_passed_over() -> None:
    """Whatever stands there, the pace goes on."""
    pace = Pace(mild_per_s=0.0, clock=Clock())
    for text in ("", "many", "-5", "1e3"):
        pace.observe({"X-RateLimit-Remaining": text, "X-RateLimit-Reset": text})
        assert pace.delay_s(write=True) == 0.0
    assert sandbox_target("http://127.0.0.1:1", "ABC").company == "abc"


@pytest.mark.parametrize("digits", [10, 400, 5000])
def test_a_number_beyond_all_bounds_slows_for_an_hour_at_most(digits: int) -> None:
    """However many digits a header has, it is reckoned with, and no window is longer than the API's."""
    pace = Pace(mild_per_s=0.0, clock=Clock())
    pace.observe({f"X-RateLimit-{name}": "9" * digits for name in ("Limit", "Remaining", "Reset")})
    assert pace.delay_s(write=True) == 0.0
    assert pace.predict_s(1000, 0.1) == pytest.approx(100)

    pace.observe({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9" * digits})
    assert pace.delay_s(write=True) == 3600.0


def test_threads_that_pace_together_lose_no_count() -> None:
    """A hundred threads take exactly what remains, less the reserve."""
    pace = Pace(clock=Clock())
    pace.observe(limits(remaining=105))
    free: list[float] = []
    take: Callable[[], None] = lambda: free.append(pace.delay_s(write=True))  # noqa: E731
    threads = [threading.Thread(target=take) for _ in range(150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert free.count(0.0) == 100
