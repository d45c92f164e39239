"""A run settles what it can by itself: at its end what it left in doubt, at its start what earlier ones left."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from end_to_end import MAPPING, NUMBERED, TARGET, Ran, environment, invoice_rows
from test_resolve import AUTOMATIC, LONG_S, Office, firm, office

from importer.cli import run_command
from importer.plan import Plan
from importer.sandbox import Fault, Settings

__all__ = ["firm"]
INVOICE = "POST customerinvoice"
MANUAL = Settings(numbering="manual")
RENAME = "version: 1\nendpoint: customer.update\nkey: No\nfields: {name: Name}\n"


def run(office_: Office, *options: str) -> Ran:
    """Run the mapping with options."""
    office_.runs += 1
    folder = office_.project / "reports" / str(office_.runs)
    given = [str(office_.project / name) for name in ("mapping.yaml", "invoices.xlsx")]
    code = run_command(["run", *given, *TARGET, "--workers", "1", "--quiet", *options, "--report", str(folder)])
    return Ran(code, folder)


def test_what_is_found_at_the_end_of_a_run_is_accepted(firm: Office) -> None:
    """The answer was lost, the document is there: exit 0, its number in the report, and the next run knows it."""
    ran = firm.run(Fault(match=INVOICE, kind="cut_after", nth=2))

    assert (ran.code, ran.counts) == (0, {"accepted": 3})
    assert ran.document("F0002")["number"] == "000002"
    assert "Looked up" in ran.document("F0002")["message"]
    assert firm.run().counts == {"already_accepted": 3}


def test_what_may_still_come_stays_in_doubt_at_the_end_of_a_run(firm: Office) -> None:
    """It is not there yet: exit 5, and the message says when to look again."""
    ran = firm.run(Fault(match=INVOICE, kind="cut_before", nth=2))

    assert (ran.code, ran.document("F0002")["status"]) == (5, "unknown")
    assert "Resolve again in 10 min" in ran.document("F0002")["message"]


def test_without_a_wait_a_run_ends_with_what_is_to_be_sent_again(firm: Office) -> None:
    """With --settle-after 0 absence counts at the end of the run: nothing is in doubt, and the next run sends it."""
    firm.box.faults[:] = [Fault(match=INVOICE, kind="cut_before", nth=2)]
    ran = run(firm, "--settle-after", "0")
    firm.box.faults.clear()

    assert (ran.code, ran.counts) == (6, {"accepted": 2, "not_sent": 1})
    assert firm.run().counts == {"already_accepted": 2, "accepted": 1}


@pytest.mark.parametrize(
    ("kind", "counts"),
    [("cut_after", {"already_accepted": 3}), ("cut_before", {"already_accepted": 2, "accepted": 1})],
)
def test_the_next_run_settles_what_the_last_one_left(firm: Office, kind: str, counts: dict[str, int]) -> None:
    """Once nothing can be under way any more, one run looks it up, sends what is not there, and is done."""
    firm.doubt(kind)
    before = firm.writes
    firm.ahead_s += LONG_S

    ran = firm.run()

    assert (ran.code, ran.counts) == (0, counts)
    assert firm.writes - before == counts.get("accepted", 0)
    assert sorted(firm.numbers) == ["000001", "000002", "000003"]


def test_a_run_looks_up_only_documents_of_its_own(firm: Office) -> None:
    """A doubt over a document that is not in this workbook is left to resolve."""
    firm.doubt("cut_after")
    firm.write([row for row in invoice_rows(3) if row[0] != "F0002"])

    assert firm.run().counts == {"already_accepted": 2}
    assert firm.attempt("F0002")["state"] == "unknown"
    assert firm.settle()["status"] == "accepted"


@contextmanager
def background(folder: Path, *, said: str = "201") -> Iterator[Office]:
    """Serve a company that takes the second invoice on for later; the run is killed while it follows that."""
    rows = invoice_rows(3)
    if said == "400":
        rows[1] = (rows[1][0], "99999", *rows[1][2:])
    with office(folder, rows=rows, settings=replace(AUTOMATIC, background_delay_s=500)) as made:
        made.box.faults.append(Fault(match=INVOICE, kind="202", nth=2))
        line = [sys.executable, "-m", "importer", "run", "mapping.yaml", "--workers=1", "--quiet", *TARGET]
        with subprocess.Popen(line, cwd=made.project, env=environment(made.project)) as process:
            while not any("/background/" in entry.path for entry in made.box.requests_log):
                assert process.poll() is None, "it was not followed"
                time.sleep(0.01)
            process.kill()
        made.box.faults.clear()
        yield made


def test_a_background_request_under_way_is_waited_for(tmp_path: Path) -> None:
    """However long ago it was sent: as long as Visma says that it works on it, nothing is concluded."""
    with background(tmp_path) as firm:
        assert firm.attempt("F0002")["job"]
        assert "still works on it" in str(firm.settle("--settle-after", "0")["message"])


@pytest.mark.parametrize(("said", "status"), [("201", "accepted"), ("400", "rejected")])
def test_a_background_request_that_ended_settles_its_document(tmp_path: Path, said: str, status: str) -> None:
    """That it ended is not yet success: its own status counts, and with it its number."""
    with background(tmp_path, said=said) as firm:
        firm.ahead_s += LONG_S

        settled = firm.settle()

        assert (settled["status"], settled["number"]) == (status, "000002" if said == "201" else None)
        assert firm.run().document("F0002")["status"] == ("already_accepted" if said == "201" else "rejected")


def test_a_background_request_that_is_kept_no_more_is_looked_up(tmp_path: Path) -> None:
    """After a day only the document itself can tell."""
    with background(tmp_path) as firm:
        firm.ahead_s += LONG_S
        firm.run()
        assert len(firm.numbers) == 3
        firm.ahead_s += 25 * 3600

        assert firm.run().counts == {"already_accepted": 3}


def test_a_background_request_is_followed_to_its_end(tmp_path: Path) -> None:
    """The run waits for it a while, and the row has its number."""
    with office(tmp_path, settings=replace(AUTOMATIC, background_delay_s=0.3)) as firm:
        ran = firm.run(Fault(match=INVOICE, kind="202", nth=2))

        assert (ran.code, ran.document("F0002")["number"]) == (0, "000002")


def test_what_came_after_all_is_taken_for_ours(tmp_path: Path) -> None:
    """A look-up found nothing, later it is there: the next run does not send it again, and knows its number."""
    with office(tmp_path, settings=AUTOMATIC) as firm:
        firm.doubt("cut_before")
        firm.ahead_s += LONG_S
        assert firm.settle()["status"] == "not_sent"
        firm.post(externalReference="F0002", customerNumber="10002", documentDate="2025-01-27")

        ran = firm.run()

        assert (ran.code, ran.counts) == (0, {"already_accepted": 3})
        assert (ran.document("F0002")["number"], firm.attempt("F0002")["state"]) == ("000003", "accepted")
        assert firm.run().counts == {"already_accepted": 3}


def test_a_number_that_our_own_doubtful_attempt_took_is_ours(tmp_path: Path) -> None:
    """Lists do not show it yet, so it is sent again, refused as taken, and found under its number."""
    with office(tmp_path, NUMBERED, settings=replace(MANUAL, lists_lag_s=10_000)) as firm:
        firm.doubt("cut_before", "F0003")
        assert firm.resolve("--key", "F0003", "--not-there", "--yes")[0] == 0
        late = {"referenceNumber": "F0003", "externalReference": "F0003", "customerNumber": "10003"}
        firm.post(((2, 19.9), (1, 149)), **late, documentDate="2025-01-27")

        ran = firm.run()

        assert (ran.code, ran.counts) == (0, {"already_accepted": 2, "accepted": 1})
        assert "in doubt" in ran.document("F0003")["message"]
        assert firm.numbers == ["F0001", "F0002", "F0003"]


def test_a_number_that_somebody_took_is_not_ours_without_a_doubt(tmp_path: Path) -> None:
    """Refused is refused where no attempt of ours could have made it."""
    with office(tmp_path, NUMBERED, settings=replace(MANUAL, lists_lag_s=10_000)) as firm:
        taken = {"referenceNumber": "F0002", "externalReference": "F0002", "customerNumber": "10002"}
        firm.post(**taken, documentDate="2025-01-27")

        ran = firm.run()

        assert (ran.code, ran.document("F0002")["status"]) == (4, "rejected")


def test_a_refusal_with_500_is_looked_up_before_it_is_sent_again(firm: Office) -> None:
    """Visma answered with an error of the business and made the document all the same: it is not made twice."""
    ran = firm.run(Fault(match=INVOICE, kind="500_message", nth=2, commit=True))
    assert (ran.code, ran.document("F0002")["status"]) == (4, "rejected")

    later = firm.run()

    assert (later.code, later.counts) == (0, {"already_accepted": 3})
    assert later.document("F0002")["number"] == "000002"
    assert len(firm.numbers) == 3


LETTER = "version: 1\nendpoint: customer.createDunningLetter\nkey: No\nfields: {levelFrom: From, levelTo: To}\n"
LINES = "version: 1\nendpoint: customerInvoice.update\nkey: No\nlines: {description: From, quantity: To}\n"
NAMES = "version: 1\nendpoint: customer.upsert\nkey: No\nfields: {name: From, mainAddress: {city: To}}\n"
NOTES = """\
version: 1
endpoint: customerInvoice.create
key: No
fields: {customerNumber: {value: "10001"}}
lines: {description: From, quantity: To}
"""
UNSEEN = [
    # of an action or added lines another content is another document, which waits
    (LETTER, "POST createDunningLetter", ("10001", 0, 1), ("10001", 0, 2), "not_sent"),
    (LINES, "PUT customerinvoice", ("000001", "Frakt", 1), ("000001", "Frakt", 2), "not_sent"),
    (NOTES, INVOICE, ("N1", "Frakt", 1), ("N1", "Frakt", 2), "unknown"),
    (NAMES, "POST customer", ("K1", "Ny AS", "Oslo"), ("K1", "Ny AS", "Bergen"), "unknown"),
]


@pytest.mark.parametrize(("mapping", "match", "row", "corrected", "held"), UNSEEN)
@pytest.mark.parametrize(
    ("word", "counts"), [(("--accepted", "30000"), {"already_accepted": 1}), (("--not-there",), {"accepted": 1})]
)
def test_what_an_error_refused_and_no_look_up_shows_is_not_sent_again_until_a_person_says_so(
    firm: Office,
    mapping: str,
    match: str,
    row: tuple[Any, ...],
    corrected: tuple[Any, ...],
    held: str,
    word: tuple[str, ...],
    counts: dict[str, int],
) -> None:
    """The first run says what Visma answered; from then on it may be there, and the row says who settles it."""
    firm.post(customerNumber="10001", documentDate="2025-01-27")
    headers = ("No", "From", "To")
    firm.write([row], headers, mapping)
    first = firm.run(Fault(match=match, kind="500_message", commit=True))
    assert (first.code, first.counts) == (4, {"rejected": 1})
    before = firm.writes

    again = firm.run()
    firm.write([corrected], headers)
    other = firm.run()

    assert (again.code, again.counts, other.code, other.counts) == (5, {"unknown": 1}, 5, {held: 1})
    for ran in (again, other):
        assert f"visma-import resolve --key {row[0]} --accepted NUMBER, or --not-there" in ran.documents[0]["message"]
    assert firm.writes == before

    firm.write([row], headers)
    assert firm.resolve("--key", row[0], *word, "--yes")[0] == 0
    assert firm.run().counts == counts
    assert firm.run().counts == {"already_accepted": 1}
    assert firm.writes == before + (counts == {"accepted": 1})


def test_an_action_that_an_error_refused_is_seen_to_be_done(tmp_path: Path) -> None:
    """Of a release the status tells whether it was done: then it is accepted already, else it goes out again."""
    with office(tmp_path, settings=replace(AUTOMATIC, release_delay_s=0)) as firm:
        assert firm.run().code == 0
        firm.write([("000001",), ("000002",)], ("No",), "version: 1\nendpoint: customerInvoice.release\nkey: No\n")
        done = Fault(match="POST action/release", kind="500_message", nth=1, commit=True)
        ran = firm.run(done, Fault(match="POST action/release", kind="500_message", nth=2))
        assert (ran.code, ran.counts) == (4, {"rejected": 2})
        before = firm.writes

        later = firm.run()
        assert [one["status"] for one in later.documents] == ["already_accepted", "accepted"]
        assert (later.code, firm.writes - before) == (0, 1)
        assert firm.attempt("000001")["state"] == "accepted"


def test_what_an_error_refused_is_looked_for_as_it_was_sent_too(firm: Office) -> None:
    """Its reference and customer were corrected since: what the error left is named, and nothing is sent."""
    ran = firm.run(Fault(match=INVOICE, kind="500_message", nth=2, commit=True))
    assert ran.document("F0002")["status"] == "rejected"
    rows = invoice_rows(3)
    firm.write([rows[0], ("F0002", "10007", *rows[1][2:]), *rows[2:]])

    later = firm.run()

    found = later.document("F0002")
    assert (later.code, found["status"], found["number"]) == (4, "changed", "000002")
    assert len(firm.numbers) == 3


def test_other_content_waits_only_as_long_as_the_first_may_be_under_way(firm: Office) -> None:
    """After a doubtful update another one for that customer waits for --settle-after, and then goes."""
    firm.write([("10001", "Alfa")], ("No", "Name"), RENAME)
    assert firm.run(Fault(match="PUT customer", kind="cut_before")).code == 5
    firm.write([("10001", "Beta")], ("No", "Name"))

    soon = firm.run()
    firm.ahead_s += LONG_S
    later = firm.run()

    assert (soon.code, soon.counts) == (5, {"not_sent": 1})
    assert (later.code, later.counts) == (0, {"accepted": 1})
    assert firm.resolve()[0] == 0


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ("externalReference: Invoice no", False),
        ("referenceNumber: Invoice no", False),
        ("note: Invoice no", True),
    ],
)
def test_check_warns_of_documents_that_could_not_be_found_again(plan_of: Any, fields: str, warned: bool) -> None:
    """A reference or a number of one's own is what a look-up searches for."""
    mapping = MAPPING.replace("workbook: {file: invoices.xlsx, sheet: Invoices}\n", "")
    mapping = mapping.replace("externalReference: Invoice no", fields)
    header = ("Invoice no", "Customer", "Date", "Text", "Qty", "Unit price")
    plan: Plan = plan_of(mapping, [header, ("F0001", "10001", date(2025, 1, 27), "Kaffe", 1, 10)])

    assert [problem.code for problem in plan.warnings] == (["cannot_be_found"] if warned else [])
    assert not plan.problems
