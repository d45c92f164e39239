"""What a person said of a document shows in the history, and a mistaken word is taken back while nothing was sent."""

import getpass
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from json import loads
from pathlib import Path
from typing import Any

import pytest
from databases import BOTH, journal_on
from end_to_end import TARGET, Ran, command, invoice_rows, program
from records import NOW, claim, outcome, record
from test_doubts import INVOICE, LETTER
from test_resolve import Office, dearer, firm, report_of

from importer.journal import AlreadyClaimed, open_journal
from importer.journal.words import latest, words_on
from importer.model import Status
from importer.sandbox import Fault

__all__ = ["firm"]


def history(firm: Office, key: str) -> list[dict[str, Any]]:
    """List what each run, the latest first, and persons after it, had to say of a document."""
    code, out, _ = command("history", "--key", key, "--json", cwd=firm.project)
    assert code == 0
    return [entry["document"] for entry in loads(out)]


def said(document: dict[str, Any]) -> list[tuple[str, str]]:
    """List what was said, and by whom."""
    return [(one["said"], one["by"]) for one in document["decisions"]]


def test_the_history_of_a_document_shows_what_a_person_said_of_it(
    firm: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside what was true when the run ended: who said what, and when."""
    firm.run()
    monkeypatch.setenv("LOGNAME", "kari")

    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0

    (document,) = history(firm, "F0002")
    assert (document["status"], said(document)) == ("accepted", [("not there", "kari")])
    assert said(history(firm, "F0001")[0]) == []
    _code, shown, _ = command("history", "--key", "F0002", cwd=firm.project)
    (line,) = [line.strip() for line in shown.splitlines() if "kari" in line]
    assert line == f"Noted as not there on {document['decisions'][0]['at'][:16].replace('T', ' ')} UTC, by kari."


@pytest.mark.parametrize(("word", "told"), [("--accepted", "accepted"), ("--not-there", "not there")])
def test_the_history_shows_how_a_changed_document_was_decided(firm: Office, word: str, told: str) -> None:
    """At the attempt that the word is about, which may be an earlier run's."""
    firm.run()
    firm.write(dearer())
    firm.run()

    assert firm.resolve("--key", "F0002", word, "--yes")[0] == 0

    assert (told, getpass.getuser()) in [one for document in history(firm, "F0002") for one in said(document)]


def test_what_a_look_up_settled_is_no_persons_word(firm: Office) -> None:
    """The report's message tells of it already."""
    firm.doubt("cut_after")
    assert firm.settle()["status"] == "accepted"

    assert [said(document) for document in history(firm, "F0002")] == [[]]


def test_a_mistaken_not_there_on_an_accepted_document_is_taken_back(firm: Office) -> None:
    """With its number, where none is given; nothing is sent, and the history shows the last word."""
    firm.run()
    before = firm.writes
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0

    code, printed = firm.resolve("--key", "F0002", "--accepted", "--yes")

    assert (code, "Visma has 000002" in printed) == (0, True)
    later = firm.run()
    assert (later.counts, firm.writes) == ({"already_accepted": 3}, before)
    assert later.document("F0002")["number"] == "000002"
    assert said(history(firm, "F0002")[-1]) == [("accepted", getpass.getuser())]


def test_a_mistaken_not_there_on_a_document_in_doubt_is_taken_back(firm: Office) -> None:
    """The report of its run says so, too."""
    ran = firm.doubt("cut_after")
    before = firm.writes
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0

    assert firm.resolve("--key", "F0002", "--accepted", "000002", "--yes")[0] == 0

    shown = report_of(firm, ran).document("F0002")
    assert (shown["status"], shown["number"]) == ("accepted", "000002")
    assert (firm.run().counts, firm.writes) == ({"already_accepted": 3}, before)


def test_a_word_is_not_taken_back_once_it_was_sent_by_it(firm: Office) -> None:
    """Then a person's word is about what was sent since: the first one stays said not to be there."""
    firm.run()
    firm.by_hand("DELETE", "/000002")
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0
    assert firm.run().counts == {"already_accepted": 2, "accepted": 1}

    assert firm.resolve("--key", "F0002", "--accepted", "--yes")[0] == 0

    assert firm.run().document("F0002")["number"] == "000004"
    assert [said(document) for document in history(firm, "F0002")][1:] == [
        [("accepted", getpass.getuser())],
        [("not there", getpass.getuser())],
    ]


def test_a_word_is_not_taken_back_once_what_was_sent_by_it_is_in_doubt(firm: Office) -> None:
    """The word is about what is in doubt, and settles that."""
    firm.run()
    firm.by_hand("DELETE", "/000002")
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0
    blind = Fault(match="GET /v1", kind="400_plain", since=INVOICE)
    assert firm.run(Fault(match=INVOICE, kind="cut_after"), blind).document("F0002")["status"] == "unknown"

    assert firm.resolve("--key", "F0002", "--accepted", "000004", "--yes")[0] == 0

    assert firm.attempt("F0002")["number"] == "000004"
    assert firm.run().document("F0002")["number"] == "000004"
    assert len(firm.numbers) == 3


def test_a_word_is_taken_back_after_what_was_sent_by_it_was_rejected(firm: Office) -> None:
    """What the API will not have is not there."""
    firm.run()
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0
    first, (key, _customer, *rest), *others = invoice_rows(3)
    firm.write([first, (key, "99999", *rest), *others])
    assert firm.run().document("F0002")["status"] == "rejected"
    firm.write(invoice_rows(3))
    before = firm.writes

    assert firm.resolve("--key", "F0002", "--accepted", "--yes")[0] == 0

    assert (firm.run().counts, firm.writes) == ({"already_accepted": 3}, before)


def test_a_word_that_is_taken_back_while_a_run_is_about_to_send_by_it_holds(firm: Office) -> None:
    """The run finds it accepted when it comes to it, sends nothing, and says so."""
    firm.run()
    for key in ("F0001", "F0002"):
        assert firm.resolve("--key", key, "--not-there", "--yes")[0] == 0
    firm.box.faults[:] = [Fault(match=INVOICE, kind="late", nth=1, delay_s=3)]
    given = ("mapping.yaml", "invoices.xlsx", *TARGET, "--workers", "1", "--report", "late")
    before = firm.writes

    with ThreadPoolExecutor(1) as beside:
        going = beside.submit(program, "run", *given, cwd=firm.project)
        while firm.attempt("F0001")["state"] != "sending":
            assert not going.done()
            time.sleep(0.02)
        words = ("resolve", "--key", "F0002", "--accepted", "--yes", "--target", "test")
        assert program(*words, cwd=firm.project).returncode == 0
        assert not going.done()
        assert going.result().returncode == 0

    found = Ran(0, firm.project / "late").document("F0002")
    assert (found["status"], found["number"]) == ("already_accepted", "000002")
    assert (firm.writes - before, len(firm.numbers)) == (1, 4)


def test_the_word_on_the_latest_letter_is_taken_back_although_an_earlier_one_stands(firm: Office) -> None:
    """Each letter to a customer is a document of its own: none of both goes out again."""
    letters = [("10001", 0, 1), ("10001", 1, 2)]
    for letter in letters:
        firm.write([letter], ("No", "From", "To"), LETTER)
        assert firm.run().counts == {"accepted": 1}
    assert firm.resolve("--key", "10001", "--not-there", "--yes")[0] == 0

    assert firm.resolve("--key", "10001", "--accepted", "--yes")[0] == 0

    for letter in letters:
        firm.write([letter], ("No", "From", "To"))
        assert firm.run().counts == {"already_accepted": 1}


def test_a_second_not_there_says_nothing_new_and_is_refused(firm: Office) -> None:
    """It is not there already; the journal stays as it was."""
    firm.run()
    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 0
    before = firm.attempt("F0002")

    assert firm.resolve("--key", "F0002", "--not-there", "--yes")[0] == 2

    assert firm.attempt("F0002") == before


@pytest.mark.parametrize("database", BOTH)
@pytest.mark.parametrize("first", ["claim", "word"])
def test_of_a_claim_and_a_word_taken_back_only_the_first_holds(tmp_path: Path, database: str, first: str) -> None:
    """Whoever comes second meets the guard: an accepted document is not claimed, one in flight is not accepted."""
    with journal_on(database, tmp_path) as where, closing(open_journal(where)) as journal:
        run = record()
        journal.start_run(run, [outcome()])
        journal.settle(run, claim(journal, run, "a"), replace(outcome(status=Status.ACCEPTED), number="1"), NOW)
        (accepted,) = journal.live_attempts(run.company, run.endpoint)
        assert journal.decide(accepted, "withdrawn", "", NOW, number="1", by="kari")
        (absent,) = latest(journal, run.company, ("withdrawn",))

        def word() -> bool:
            return journal.decide(absent, "accepted", "", NOW, number="1", by="kari")

        if first == "claim":
            own = claim(journal, run, "a")
            assert not word()
            assert latest(journal, run.company, ("withdrawn",)) == []
        else:
            assert word()
            own = absent.attempt_id
            with pytest.raises(AlreadyClaimed):
                claim(journal, run, "a")
        assert [one.attempt_id for one in journal.live_attempts(run.company, run.endpoint)] == [own]
        told = [(one.state, one.by) for one in words_on(journal, "F0001")]
        assert told == [("withdrawn" if first == "claim" else "accepted", "kari")]
