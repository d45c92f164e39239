"""What it costs to see, at the end of a run, that the numbers which Visma gave are those of our documents."""

import re
import signal
import sys
from pathlib import Path

import pytest
from databases import BOTH
from firm import LONG_S, WRITE, Firm, open_firm, wait_for

from importer.sandbox import Fault, Settings

COUNT = 120


@pytest.mark.parametrize(("lag_s", "lists", "reads"), [(0, 1, 0), (30, 1, 50)])
def test_numbers_are_held_against_one_list_and_not_each_against_a_read(
    tmp_path: Path, lag_s: int, lists: int, reads: int
) -> None:
    """A list that lags shows none of them: then some are read, but never all, and none is called in doubt for that."""
    with open_firm("sqlite", tmp_path, COUNT, Settings(lists_lag_s=lag_s)) as firm:
        ran = firm.run(workers=4)
        log = [(entry.method, entry.path) for entry in firm.box.requests_log]
    last_write = max(place for place, (method, _) in enumerate(log) if method == "POST")
    after = [path for _, path in log[last_write + 1 :]]
    single = [path for path in after if re.search(r"/customerinvoice/\w+$", path, re.IGNORECASE)]

    assert (ran.code, ran.counts) == (0, {"accepted": COUNT})
    assert len(single) == reads
    assert len(after) - len(single) == lists


def posted(firm: Firm) -> list[str]:
    """Return what writes have arrived, by their paths."""
    return [entry.path for entry in firm.box.requests_log if entry.method == "POST" and "invoice" in entry.path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")
@pytest.mark.parametrize("database", BOTH)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_numbers_of_a_run_that_was_stopped_are_held_against_the_list_by_the_next(
    tmp_path: Path, database: str, number: signal.Signals
) -> None:
    """It did not come to that itself: the wrong number is put right, and that is done once."""
    settings = Settings(numbering="automatic")
    with open_firm(database, tmp_path, 3, settings) as firm:
        firm.box.faults[:] = [
            Fault(match=WRITE, kind="other_location", nth=1),
            Fault(match=WRITE, kind="late", nth=2, delay_s=0.5),
        ]
        with firm.running() as process:
            wait_for(lambda: len(posted(firm)) > 1)
            process.send_signal(number)
            process.communicate(timeout=60)
        before = firm.rows("SELECT number FROM attempt WHERE key = 'F0001'")
        firm.box.faults.clear()
        firm.ahead_s += LONG_S
        ran = firm.run()
        checked = len(firm.box.requests_log)
        again = firm.run()
        reads = [entry.path for entry in firm.box.requests_log[checked:] if entry.method == "GET"]

    assert before == [("999999",)]
    first = ran.document("F0001")
    assert (ran.code, first["status"], first["number"]) == (0, "already_accepted", "000001")
    assert (again.code, again.document("F0001")["number"], reads) == (0, "000001", [])
