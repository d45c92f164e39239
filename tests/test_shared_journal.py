"""Several processes on one journal: each document once, and what a live run has in hand is nobody else's."""

import signal
import sys
import time
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa
from databases import needs_postgresql, rows_of
from firm import LONG_S, WRITE, Firm, invoices, keys, open_firm, wait_for
from killing import Killer, Struck
from struck import COUNT, firm, killer

from importer.sandbox import Fault

__all__ = ["firm", "killer"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


def storm(killer: Killer, firm: Firm, victims: int, chance: Random) -> int:
    """Let one process run to its end while others are killed at random moments and started again; count the kills."""

    def start() -> Struck:
        return killer.start("", firm.arguments("--quiet", workers=4), firm.project)

    def doom() -> int:
        return firm.writes + chance.randint(5, 50)

    steady, others, kills = start(), [(start(), doom()) for _ in range(victims)], 0
    while steady.poll() is None:
        time.sleep(chance.uniform(0, 0.02))
        for place, (victim, dies_at) in enumerate(others):
            if victim.poll() is None and firm.writes >= dies_at:
                victim.strike(signal.SIGKILL)
                kills += victim.wait() == -signal.SIGKILL
            if victim.poll() is not None:
                others[place] = start(), doom()
    codes = [steady.code, *(victim.wait() for victim, _ in others)]
    assert set(codes) <= {0, 5, 6}, [steady.said, *(victim.said for victim, _ in others)]
    return kills


@pytest.mark.parametrize(
    ("database", "count", "victims", "at_least"),
    [("sqlite", 120, 1, 1), pytest.param("postgresql", 500, 2, 5, marks=needs_postgresql)],
)
def test_processes_that_are_killed_and_started_again_send_each_document_once(
    killer: Killer, tmp_path: Path, database: str, count: int, victims: int, at_least: int
) -> None:
    """One journal, one workbook, one company: in the end it holds each document, and each once."""
    with open_firm(database, tmp_path, invoices(count, 100)) as firm:
        kills = storm(killer, firm, victims, Random(500))
        before, requests = len(firm.held), len(firm.box.requests_log)
        runs = firm.finish()
        print(
            f"measured: killed processes, {database}: {victims + 1} processes, {kills} kills, {requests} requests, "
            f"{firm.writes} writes, {before} documents before and {len(firm.held)} after {len(runs)} further runs"
        )

        assert kills >= at_least
        assert firm.held == keys(count)


#: Where the owner of F0003 is frozen: before its bytes leave, after them, and with the answer in its hands.
FROZEN = [
    "call Session.write 3 stop",
    "call Session.write 3, return _Watched.send 2 stop",
    "call Journal.settle 3 stop",
]


def freeze(killer: Killer, firm: Firm, moment: str) -> Struck:
    """Start a run and freeze it while it has F0003 in hand."""
    owner = killer.start(moment, firm.arguments("--quiet"), firm.project)
    owner.wait_until_frozen()
    assert firm.states("F0003") == ["sending"]
    return owner


def thaw(owner: Struck) -> int:
    """Let a frozen run go on to its end."""
    owner.strike(signal.SIGCONT)
    return owner.wait()


@pytest.mark.parametrize("moment", FROZEN)
def test_resolve_leaves_alone_what_a_live_run_has_in_hand(killer: Killer, firm: Firm, moment: str) -> None:
    """Also with `--settle-after 0` and after a long time: the owner goes on and its word counts, nothing is doubled."""
    owner = freeze(killer, firm, moment)
    firm.ahead_s += LONG_S
    code, said = firm.resolve("--settle-after", "0")
    state = firm.states("F0003")
    ended = thaw(owner)

    assert (code, state) == (5, ["sending"])
    assert "still has it in hand" in said
    assert (ended, firm.states("F0003")) == (0, ["accepted"])
    assert (firm.held, firm.writes) == (keys(COUNT), COUNT)


@pytest.mark.parametrize("moment", FROZEN)
def test_a_run_leaves_alone_what_another_live_run_has_in_hand(killer: Killer, firm: Firm, moment: str) -> None:
    """It sends all the others, calls that one unknown, and exits 5; the owner then has nothing left but its own."""
    owner = freeze(killer, firm, moment)
    firm.ahead_s += LONG_S
    ran = firm.run("--settle-after", "0")
    ended = thaw(owner)

    assert (ran.code, ran.counts) == (5, {"already_accepted": 2, "unknown": 1, "accepted": 3})
    assert ran.document("F0003")["status"] == "unknown"
    assert (ended, firm.states("F0003")) == (0, ["accepted"])
    assert (firm.held, firm.writes) == (keys(COUNT), COUNT)
    assert firm.run().counts == {"already_accepted": COUNT}


@pytest.mark.parametrize(
    ("which", "word"), [("key", ["--not-there"]), ("key", ["--accepted", "000003"]), ("run", ["--not-there"])]
)
def test_a_persons_word_is_refused_while_a_live_run_has_the_document_in_hand(
    killer: Killer, firm: Firm, which: str, word: list[str]
) -> None:
    """Exit 3, and it says to wait for that run or to end it; nothing is changed."""
    owner = freeze(killer, firm, FROZEN[0])
    ((run_id,),) = firm.rows("SELECT run_id FROM run")
    named = ["--key", "F0003"] if which == "key" else ["--run", run_id]
    code, said = firm.resolve(*named, *word, "--yes")
    state = firm.states("F0003")
    ended = thaw(owner)

    assert (code, state) == (3, ["sending"])
    assert "still has 'F0003' in hand" in said
    assert ended == 0
    assert (firm.held, firm.writes) == (keys(COUNT), COUNT)


@pytest.mark.parametrize("moment", FROZEN)
def test_what_a_killed_run_had_in_hand_is_settled_by_the_next(killer: Killer, firm: Firm, moment: str) -> None:
    """Once its process is gone nothing holds anybody up: it is looked up, and sent again only if it is not there."""
    owner = freeze(killer, firm, moment)
    assert firm.resolve("--settle-after", "0")[0] == 5
    owner.strike(signal.SIGKILL)
    owner.wait()
    time.sleep(0.2)
    code, said = firm.resolve("--settle-after", "0")

    assert code == 0, said
    assert firm.states("F0003") == ["not_sent" if moment == FROZEN[0] else "accepted"]
    assert firm.run().code == 0
    assert (firm.held, firm.writes) == (keys(COUNT), COUNT)


def test_two_runs_that_begin_on_an_empty_journal_at_once_both_go(killer: Killer, firm: Firm) -> None:
    """Either makes the tables, the other waits for them; together they send each document once."""
    both = [killer.start("", firm.arguments("--quiet"), firm.project) for _ in range(2)]
    codes = [one.wait() for one in both]

    assert set(codes) <= {0, 5, 6}, [one.said for one in both]
    firm.finish()
    assert firm.held == keys(COUNT)
    assert firm.writes == COUNT


def cut_connections(firm: Firm) -> None:
    """Cut every connection to the journal, as a restart of its server or a firewall does."""
    with rows_of(firm.journal) as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(sa.text(f"{others} AND pid <> pg_backend_pid()"))


@needs_postgresql
def test_a_run_whose_connections_were_cut_still_has_in_hand_what_it_has(killer: Killer, tmp_path: Path) -> None:
    """The run goes on by new connections, and what it sends then is left alone by others too."""
    with open_firm("postgresql", tmp_path, COUNT) as firm:
        firm.box.faults.append(Fault(match=WRITE, kind="late", nth=5, delay_s=4))
        owner = freeze(killer, firm, FROZEN[0])
        cut_connections(firm)
        owner.strike(signal.SIGCONT)
        wait_for(lambda: firm.writes == 5)
        code, said = firm.resolve("--settle-after", "0")
        state = firm.states("F0005")
        ended = owner.wait()

        assert (ended, firm.held) == (0, keys(COUNT)), owner.said
        assert (code, state) == (5, ["sending"]), said


@needs_postgresql
def test_a_frozen_run_whose_connections_were_cut_has_until_the_time_to_settle(killer: Killer, tmp_path: Path) -> None:
    """Its lock is gone with its connection, but the run is not: what it claimed a moment ago may yet be sent."""
    with open_firm("postgresql", tmp_path, COUNT) as firm:
        owner = freeze(killer, firm, FROZEN[0])
        cut_connections(firm)
        code, said = firm.resolve()
        ran = firm.run()
        ended = thaw(owner)

        assert (code, firm.states("F0003")) == (5, ["accepted"]), said
        assert (ran.code, ran.document("F0003")["status"]) == (5, "unknown")
        assert ended == 0, owner.said
        assert (firm.held, firm.writes) == (keys(COUNT), COUNT)
