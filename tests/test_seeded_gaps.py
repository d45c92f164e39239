"""Small rules that keep a document from going out twice, each of which a seeded mistake would break."""

import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from end_to_end import TARGET, RawServer, attempts, created, environment, import_into, make_project
from firm import wait_for
from records import NOW, claim, outcome, record
from test_journal import rows
from test_resolve import LONG_S, Office, office

from importer.errors import JournalError
from importer.journal import Journal
from importer.model import Status
from importer.sandbox import Fault


def test_documents_of_one_customer_are_never_in_flight_together(tmp_path: Path) -> None:
    """Of nine documents of three customers three are in flight at a time, each of another customer."""
    customers = {f"F{number:04}": f"1000{number // 3}" for number in range(9)}
    sheet = [(key, customer, date(2025, 1, 27), "Kaffe", 1, 10) for key, customer in customers.items()]
    project = make_project(tmp_path / "project", sheet)
    seen: list[Counter[str]] = []

    def answer(number: int, _request: bytes) -> bytes:
        # this server answers one request at a time, so that the other workers come to have theirs claimed meanwhile
        time.sleep(0.15)
        seen.append(Counter(customers[key] for key, state in attempts(project) if state == "sending"))
        return created(f"{number:06}")

    with RawServer(answer) as server:
        ran = import_into(project, server.base_url, workers=4)

    assert (ran.code, ran.counts) == (0, {"accepted": 9})
    assert max(len(customers) for customers in seen) == 3, "they went one by one"
    assert max(max(customers.values()) for customers in seen) == 1, "two of one customer were in flight together"


def test_nobody_settles_what_a_live_run_has_in_hand(tmp_path: Path) -> None:
    """However old its claim is, a look-up leaves it in doubt; once the run has died, the look-up settles it."""
    with office(tmp_path) as firm:
        firm.box.faults.append(Fault(match="POST customerinvoice", kind="late", nth=2, delay_s=600))
        line = [sys.executable, "-m", "importer", "run", "mapping.yaml", "--workers=1", "--quiet", *TARGET]
        with subprocess.Popen(line, cwd=firm.project, env=environment(firm.project)) as process:
            try:
                wait_for(lambda: in_flight(firm))
                firm.ahead_s += LONG_S
                told = firm.settle()
            finally:
                process.kill()

        assert (told["key"], told["status"], "in hand" in told["message"]) == ("F0002", "unknown", True)
        assert firm.settle()["status"] == "not_sent"


def in_flight(firm: Office) -> bool:
    """Tell whether the second document is claimed, the first being there."""
    return (
        (firm.project / ".visma-import" / "journal.db").exists()
        and bool(firm.numbers)
        and (("F0002", "sending") in attempts(firm.project))
    )


def test_a_claim_that_could_not_be_written_is_told(journal: Journal, file: Path) -> None:
    """Whatever the database says no to: the caller hears of it, and no attempt stands."""
    rows(file, "ALTER TABLE result RENAME TO lost")

    with pytest.raises(JournalError, match="cannot be used"):
        claim(journal, record(), "a")

    assert rows(file, "SELECT count(*) FROM attempt") == [(0,)]


def test_a_look_up_never_overwrites_what_the_owner_settled_meanwhile(journal: Journal, file: Path) -> None:
    """Between reading the doubt and settling it the answer came: that counts, and the document stays guarded."""
    attempt = claim(journal, record(), "a")
    (doubtful,) = journal.doubtful("company")
    journal.settle(record(), attempt, replace(outcome(status=Status.ACCEPTED), number="000001"), NOW)

    assert journal.decide(doubtful, "not_sent", "Not there.", NOW, number=None, by="look-up") is False
    assert rows(file, "SELECT state, number FROM attempt") == [("accepted", "000001")]
    assert rows(file, "SELECT status FROM result") == [("accepted",)]


def test_a_persons_word_is_never_overwritten_by_a_late_owner(journal: Journal, file: Path) -> None:
    """Somebody has seen it in Visma; that its own run took it for unsent afterwards frees nothing."""
    attempt = claim(journal, record(), "a")
    (doubtful,) = journal.doubtful("company")
    assert journal.decide(doubtful, "accepted", "Seen.", NOW, number="4711", by="kari") is True

    journal.settle(record(), attempt, outcome(status=Status.NOT_SENT), NOW)

    assert rows(file, "SELECT state, number FROM attempt") == [("accepted", "4711")]
