"""What happens to a document while somebody has it in hand: nobody else settles it, and nothing false is told of it."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from end_to_end import RawServer, created
from records import NOW, outcome, record
from test_journal import rows
from test_resolve import AUTOMATIC, Office, firm, office

from importer.api.client import Client
from importer.api.session import Session
from importer.doubts import is_in_hand
from importer.endpoints import table
from importer.errors import JournalError
from importer.journal import Journal
from importer.model import Document, Outcome
from importer.run import Run, first_outcomes
from importer.sandbox import Fault
from importer.send import Sender
from importer.stop import Stop

__all__ = ["firm"]
DOCUMENT = Document(key="F0001", rows=(2,), identity="F0001", fingerprint="a" * 64, body=b"{}")


class Silent:
    """Tell nobody how a run goes."""

    def settled(self, outcome: Outcome) -> None:
        """Say nothing."""


class Outcomes(list[Outcome]):
    """Hold outcomes, and let somebody give up at the very moment when the first one changes."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__(outcomes)
        self.giving_up: Thread | None = None

    def __setitem__(self, place: object, new: object) -> None:
        if self.giving_up is not None and not self.giving_up.ident:
            self.giving_up.start()
            # it may have to wait until this change is made
            self.giving_up.join(0.3)
        super().__setitem__(place, new)  # type: ignore[call-overload]


def test_what_is_given_up_at_the_moment_of_its_claim_is_in_doubt_and_never_not_sent(
    journal: Journal, file: Path
) -> None:
    """Ctrl-C twice between claim and send: the request still goes out, so nothing may call it unsent."""
    outcomes = Outcomes([outcome()])
    endpoint = table()["customerInvoice.create"]

    def answer(_number: int, _request: object) -> bytes:
        # it is given up before the answer is there
        outcomes.giving_up.join(20)
        return created("000001")

    with RawServer(answer) as server:
        client = Client(server.base_url)
        sender = Sender(record(), endpoint, "v1", journal, Session(client), outcomes)
        outcomes.giving_up = Thread(target=sender.give_up)
        sender.send(DOCUMENT, 0)
        outcomes.giving_up.join()
        client.close()

    assert len(server.requests) == 1
    assert rows(file, "SELECT state FROM attempt") == [("unknown",)]
    assert rows(file, "SELECT status FROM result") == [("unknown",)]


def test_what_was_accepted_is_settled_although_the_program_fails_over_the_next_document(
    journal: Journal, file: Path
) -> None:
    """A worker leaves a settlement to its next claim; where there is none any more, it is written all the same."""
    documents = [
        replace(DOCUMENT, key=key, identity=key, rows=(row,), fingerprint=key * 32, customer="10001")
        for row, key in ((2, "F1"), (3, "F2"))
    ]
    # the claim and the settlement of the first one have their times, and nothing after them
    times = [NOW, NOW]
    with RawServer(lambda _number, _request: created("000001")) as server:
        client = Client(server.base_url)
        outcomes = first_outcomes(documents)
        told = replace(record(), rows_read=2)
        endpoint = table()["customerInvoice.create"]
        sender = Sender(told, endpoint, "v1", journal, Session(client), outcomes, now=times.pop)
        run = Run(sender, Silent(), Stop(), workers=2)
        with pytest.raises(IndexError):
            run.execute(documents)
        client.close()

    assert len(server.requests) == 1
    assert rows(file, "SELECT key, state FROM attempt") == [("F1", "accepted")]


def test_nobody_settles_a_background_request_that_its_run_follows(journal: Journal, file: Path) -> None:
    """The run that made it waits for its end; once that run is dead, anybody may, by the same request."""
    with journal.alive("run1"):
        attempt = journal.claim(record(), DOCUMENT, outcome(), NOW, NOW)
        journal.keep_job(attempt, "job-1", "evidence")
        (kept,) = journal.doubtful("company")
        in_hand = is_in_hand(journal, kept)
    (left,) = journal.doubtful("company")

    assert (kept.job, in_hand) == ("job-1", True)
    assert (left.job, is_in_hand(journal, left)) == ("job-1", False)
    assert rows(file, "SELECT evidence FROM attempt") == [("evidence",)]


def test_a_run_has_what_it_follows_in_hand(tmp_path: Path) -> None:
    """While Visma works on a background request, the journal says that the run is still sending that document."""
    with office(tmp_path, settings=replace(AUTOMATIC, background_delay_s=0.5)) as firm:
        seen: list[str] = []

        def look() -> float:
            if any("/background/" in entry.path for entry in firm.box.requests_log):
                seen.append(firm.attempt("F0002")["state"])
            return time.time()

        firm.clock = look
        ran = firm.run(Fault(match="POST customerinvoice", kind="202", nth=2))

    assert (ran.code, ran.counts) == (0, {"accepted": 3})
    assert seen[0] == "sending"


def settled_by_another(firm: Office) -> Callable[[], float]:
    """Return a clock for the company, during whose next answer to a read somebody else settles F0002."""
    before = len(firm.box.requests_log)

    def now() -> float:
        if any("token" in entry.path for entry in firm.box.requests_log[before:]):
            firm.clock = time.time
            with closing(sqlite3.connect(firm.project / ".visma-import" / "journal.db")) as db, db:
                db.execute("UPDATE attempt SET state = 'accepted', number = '4711' WHERE key = 'F0002'")
        return time.time()

    return now


def test_a_look_up_does_not_tell_what_somebody_else_settled_otherwise_meanwhile(firm: Office) -> None:
    """What it found is not what the journal says: it is left, and told so."""
    firm.doubt("cut_after")
    firm.clock = settled_by_another(firm)
    told = firm.settle()

    assert (told["status"], told["number"]) == ("unknown", None)
    assert "Somebody else settled it meanwhile" in told["message"]
    assert firm.attempt("F0002")["number"] == "4711"


def test_a_word_that_comes_too_late_is_not_called_noted(firm: Office) -> None:
    """Exit 3 with the way to see how it was settled; nothing of it is overwritten."""
    firm.doubt("cut_after")
    firm.clock = settled_by_another(firm)
    code, said = firm.resolve("--key", "F0002", "--accepted", "000002", "--yes")

    assert (code, "noted" in said) == (3, False)
    assert "history --key F0002" in said
    assert firm.attempt("F0002")["number"] == "4711"


def test_a_word_on_a_document_that_a_run_claimed_meanwhile_is_refused(journal: Journal, file: Path) -> None:
    """One live attempt is enough: the person is told, and the claim stands."""
    journal.claim(record(), DOCUMENT, outcome(), NOW, NOW)
    with pytest.raises(JournalError, match=r"F0001.*in hand.*visma-import resolve"):
        journal.word(record(), outcome(), "accepted", NOW, number="1", by="kari")

    assert rows(file, "SELECT state FROM attempt") == [("sending",)]
