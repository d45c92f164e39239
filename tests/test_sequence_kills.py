"""A sequence that is killed anywhere, or run twice at once: each document once, each invoice on the right customer."""

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from databases import BOTH
from firm import LONG_S
from killing import Killer
from migrations import Mover, customer, invoice, open_mover

CUSTOMERS, INVOICES = 6, 12
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
#: Moments of a run that sends 18 documents in two steps; `{}` is which of them, counted over both.
MOMENTS = (
    "call Journal.claim {}",
    "return Journal.claim {}",
    "call Session.write {}, call _Watched.send 1",
    "call Session.write {}, return _Watched.send 2",
    "call Journal.settle {}",
    "call Journal.settle {}, return Journal.settle.<locals>.job 1",
    "return Journal.settle {}",
)
BETWEEN = (
    "call Journal.start_run 1",
    "call Journal.start_run 2",
    "return Journal.start_run 2",
    "call Journal.finish_run 1",
    "return Journal.finish_run 1",
    "call Journal.finish_run 2",
    "call write_report 1",
    "call write_report 2",
    "call write_whole 1",
)


@pytest.fixture(scope="module")
def killer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killer]:
    with Killer(tmp_path_factory.mktemp("killer")) as opened:
        yield opened


@pytest.fixture(params=BOTH)
def mover(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with open_mover(tmp_path, request.param) as opened:
        opened.customers(*(customer(number) for number in range(1, CUSTOMERS + 1)))
        opened.invoices(*(invoice(number, f"K-{1 + number % CUSTOMERS}") for number in range(1, INVOICES + 1)))
        yield opened


def whole(mover: Mover) -> None:
    """See that everything is there, once, and on its customer."""
    assert sorted(mover.names.values()) == sorted(f"Kunde {number}" for number in range(1, CUSTOMERS + 1))
    assert mover.held == [(f"F{n:04}", f"Kunde {1 + n % CUSTOMERS}") for n in range(1, INVOICES + 1)]
    assert len(mover.sent()) == INVOICES


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again_it_is_brought_to_its_end(killer: Killer, mover: Mover, seed: int) -> None:
    """At random moments of either step and between them, until a run comes through: nothing twice, nothing lost."""
    random = Random(seed)
    for most in (CUSTOMERS + INVOICES, INVOICES, INVOICES // 2):
        moment = random.choice(MOMENTS).format(random.randint(1, most))
        killer.start(moment, mover.arguments("migration.yaml", "--quiet"), mover.project).wait()
        mover.check()

    mover.ahead_s = LONG_S
    assert mover.run().code == 0
    whole(mover)


@pytest.mark.parametrize("moment", BETWEEN)
def test_killed_between_the_steps_it_goes_on(killer: Killer, mover: Mover, moment: str) -> None:
    """Before and after each run is written down, and during the reports."""
    killer.kill(moment, mover.arguments("migration.yaml", "--quiet"), mover.project)
    mover.check()

    assert mover.run().code == 0
    whole(mover)


def test_two_processes_that_run_it_at_once_send_each_document_once(mover: Mover) -> None:
    """Whoever comes later finds what the other sends; when both have ended one more run finds nothing to send."""
    with mover.running() as first, mover.running() as second:
        ended = [process.communicate(timeout=120) for process in (first, second)]

    assert {first.returncode, second.returncode} <= {0, 4, 5}, ended
    mover.check()
    before = mover.writes
    mover.ahead_s = LONG_S
    last = mover.run()
    assert last.code == 0, last.out
    whole(mover)
    assert mover.writes - before <= INVOICES
