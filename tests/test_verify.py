"""What it costs to see, at the end of a run, that the numbers which Visma gave are those of our documents."""

import re
from pathlib import Path

import pytest
from firm import open_firm

from importer.sandbox import Settings

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
