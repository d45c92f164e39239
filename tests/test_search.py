"""A document in doubt is settled by looking: found and agreeing, provably absent, or still in doubt and why."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from end_to_end import MAPPING, NUMBERED, TARGET, RawServer, aim, command, environment, http, invoice_rows, make_project
from test_resolve import AUTOMATIC, LONG_S, Office, office, report_of

from importer.sandbox import Fault, Settings, inspect

NUMBER_ONLY = NUMBERED.replace("  externalReference: Invoice no\n", "")
TAKES_OURS = NUMBER_ONLY.replace("endpoint:", "api: v2\nendpoint:").replace(
    "fields:\n", "fields:\n  overrideNumberSeries: {value: true}\n"
)
LENIENT = Settings()
#: The invoice F0002 as it is sent.
SECOND = {"externalReference": "F0002", "customerNumber": "10002", "documentDate": "2025-01-27"}
CUSTOMERS = """\
version: 1
endpoint: customer.create
key: No
fields: {name: Name, corporateId: Org, vatRegistrationId: Vat}
"""
BOTH = "corporateId: Org, vatRegistrationId: Vat"
CUSTOMER_HEADERS = ("No", "Name", "Org", "Vat")


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Office]:
    """Serve a company that numbers documents itself."""
    with office(tmp_path) as made:
        yield made


def test_what_is_found_is_accepted_in_the_journal_in_its_report_and_in_the_next_run(firm: Office) -> None:
    """The connection was cut after the commit: the look-up settles it for good, and nothing is sent again."""
    ran = firm.doubt("cut_after")

    code, printed = firm.resolve()
    assert (code, "1 in doubt, 1 settled, 0 left." in printed) == (0, True)
    assert firm.resolve() == (0, "0 in doubt, 0 settled, 0 left.")
    found = firm.attempt("F0002")
    assert (found["state"], found["number"], found["decided_by"]) == ("accepted", "000002", "look-up")
    again = report_of(firm, ran)
    assert (again.counts, again.document("F0002")["number"]) == ({"accepted": 3}, "000002")
    assert "it is in Visma as 000002" in again.document("F0002")["message"]
    before = firm.writes
    later = firm.run()
    assert (later.code, later.counts, firm.writes) == (0, {"already_accepted": 3}, before)
    assert later.document("F0002")["number"] == "000002"


def test_what_is_not_there_is_sent_once_more_and_only_after_it_cannot_be_on_its_way(firm: Office) -> None:
    """Absence counts only after --settle-after; from then on the next run sends the document, exactly once."""
    ran = firm.doubt("cut_before")
    assert "Resolve again in" in firm.settle()["message"]
    assert firm.run().code == 5
    firm.ahead_s += LONG_S
    assert firm.settle("--settle-after", str(2 * LONG_S))["status"] == "unknown"
    assert firm.settle()["status"] == "not_sent"

    assert report_of(firm, ran).document("F0002")["status"] == "not_sent"
    before = firm.writes
    assert firm.run().counts == {"already_accepted": 2, "accepted": 1}
    assert firm.run().counts == {"already_accepted": 3}
    assert (firm.writes - before, len(firm.numbers)) == (1, 3)


@pytest.mark.parametrize("ahead_s", [10_000, -10_000])
def test_the_age_of_an_attempt_is_by_the_servers_clock(tmp_path: Path, ahead_s: int) -> None:
    """A clock that is wrong by hours, ours or the server's, neither shortens nor lengthens the wait."""
    with office(tmp_path) as firm:
        firm.ahead_s = ahead_s
        firm.doubt("cut_before")

        assert firm.settle()["status"] == "unknown"
        firm.ahead_s += LONG_S
        assert firm.settle()["status"] == "not_sent"


def test_to_wait_for_nothing_is_possible(firm: Office) -> None:
    """With --settle-after 0 absence counts at once, also within the second that the server's clock shows."""
    second = time.time()
    firm.clock = lambda: second
    firm.doubt("cut_before")

    assert firm.settle("--settle-after", "0")["status"] == "not_sent"


def test_what_a_killed_process_left_in_flight_is_settled_too(firm: Office) -> None:
    """The process died before the answer came; that its document is there is found as any other."""
    firm.box.faults.append(Fault(match="POST customerinvoice", kind="hang", nth=2, delay_s=30))
    command_line = [sys.executable, "-m", "importer", "run", "mapping.yaml", "--workers=1", "--quiet", *TARGET]
    with subprocess.Popen(command_line, cwd=firm.project, env=environment(firm.project)) as process:
        while len(firm.numbers) < 2 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    firm.box.faults.clear()
    assert firm.attempt("F0002")["state"] == "sending"

    assert firm.settle()["number"] == "000002"
    assert firm.run().counts == {"already_accepted": 2, "accepted": 1}


def test_two_documents_in_doubt_are_never_given_the_same_number(tmp_path: Path) -> None:
    """Both carry one order's reference and only the first is there: at most one of them is it."""
    mapping = MAPPING.replace("externalReference: Invoice no", "externalReference: Text")
    rows = [(f"F000{n}", "10001", date(2025, 1, 27), "ORDER-7", n, 10) for n in (1, 2)]
    with office(tmp_path, mapping, rows) as firm:
        faults = [Fault(match="POST customerinvoice", kind="cut_after", nth=1)]
        faults.append(Fault(match="POST customerinvoice", kind="cut_before", nth=2))
        assert firm.run(*faults).counts == {"accepted": 1, "unknown": 1}

        code, _ = firm.resolve()

        assert (code, firm.numbers) == (5, ["000001"])
        states = [firm.attempt(key)["state"] for key in ("F0001", "F0002")]
        assert sorted(states) in (["accepted", "unknown"], ["unknown", "unknown"])


def test_a_dunning_letter_in_doubt_is_a_persons_to_settle(tmp_path: Path) -> None:
    """No look-up shows a letter: it stays unknown until somebody who has seen it says so."""
    mapping = "version: 1\nendpoint: customer.createDunningLetter\nkey: No\nfields: {levelFrom: From, levelTo: To}\n"
    with office(tmp_path) as firm:
        firm.write([("10001", 0, 1), ("10002", 0, 1)], ("No", "From", "To"), mapping)
        fault = Fault(match="POST createDunningLetter", kind="cut_after", nth=2)
        assert firm.run(fault).counts == {"accepted": 1, "unknown": 1}
        firm.ahead_s += LONG_S

        stays = firm.settle()
        assert (stays["status"], stays["key"]) == ("unknown", "10002")
        assert firm.run().code == 5
        assert firm.resolve("--key", "10002", "--accepted", "--yes")[0] == 0

        assert firm.run().counts == {"already_accepted": 2}
        assert len(inspect.actions(firm.state, "customer", "createDunningLetter")) == 2


@pytest.mark.parametrize(("kind", "status"), [("cut_after", "accepted"), ("cut_before", "unknown")])
def test_a_release_in_doubt_is_settled_by_the_documents_status(tmp_path: Path, kind: str, status: str) -> None:
    """An invoice that is Open was released; one that is not may yet be, so that it stays in doubt."""
    with office(tmp_path, settings=Settings(numbering="automatic", release_delay_s=0)) as firm:
        assert firm.run().code == 0
        firm.write([("000001",), ("000002",)], ("No",), "version: 1\nendpoint: customerInvoice.release\nkey: No\n")
        firm.doubt(kind, "000002", match="POST action/release")
        firm.ahead_s += LONG_S

        settled = firm.settle()

        assert (settled["status"], settled["endpoint"]) == (status, "customerInvoice.release")
        assert firm.run().counts == (
            {"already_accepted": 2} if status == "accepted" else {"already_accepted": 1, "unknown": 1}
        )


def test_an_update_in_doubt_is_settled_by_running_again(tmp_path: Path) -> None:
    """The same update may go out again; once it was accepted, nothing is left for resolve."""
    with office(tmp_path) as firm:
        firm.write(
            [("10001", "Ny AS")],
            ("No", "Name"),
            "version: 1\nendpoint: customer.update\nkey: No\nfields: {name: Name}\n",
        )
        assert firm.run(Fault(match="PUT customer", kind="cut_after")).counts == {"unknown": 1}

        assert "run again" in str(firm.settle()["message"])
        assert firm.run().counts == {"accepted": 1}
        assert firm.resolve()[0] == 0


@pytest.mark.parametrize(
    ("mapping", "settings", "number"),
    [(NUMBER_ONLY, LENIENT, "F0003"), (MAPPING, AUTOMATIC, "000003"), (NUMBERED, AUTOMATIC, "000003")],
)
def test_an_invoice_is_found_by_its_number_or_by_its_reference_and_customer(
    tmp_path: Path, mapping: str, settings: Settings, number: str
) -> None:
    """Where Visma gives the numbers, the reference finds the document and tells its number."""
    with office(tmp_path, mapping, settings=settings) as firm:
        firm.doubt("cut_after", "F0003")

        found = firm.settle()

        assert (found["status"], found["number"]) == ("accepted", number)
        assert firm.run().counts == {"already_accepted": 3}


@pytest.mark.parametrize("only", ["corporateId: Org", "vatRegistrationId: Vat", BOTH])
@pytest.mark.parametrize("ignored", [(), ("corporateId", "vatRegistrationId")])
@pytest.mark.parametrize(
    ("kind", "status", "number"), [("cut_after", "accepted", "30001"), ("cut_before", "not_sent", None)]
)
def test_a_customer_is_found_by_its_own_identifiers(
    tmp_path: Path, only: str, ignored: tuple[str, ...], kind: str, status: str, number: str | None
) -> None:
    """Visma numbers the customers: the organisation's or the VAT number says whether one is there."""
    with office(tmp_path, settings=replace(AUTOMATIC, ignored_filters=frozenset(ignored))) as firm:
        rows = [(f"K{n}", f"Ny {n} AS", f"9{n}", f"NO9{n}MVA") for n in (1, 2)]
        firm.write(rows, CUSTOMER_HEADERS, CUSTOMERS.replace(BOTH, only))
        firm.doubt(kind, "K2", match="POST customer")
        firm.ahead_s += LONG_S

        found = firm.settle()
        assert (found["status"], found["number"]) == (status, number)
        assert firm.run().code == 0
        assert len(inspect.documents(firm.state, "customer")) == 2


def test_another_customer_with_the_same_identifier_is_named(tmp_path: Path) -> None:
    """An organisation may have two customers: one with another name is not the one that was sent."""
    with office(tmp_path) as firm:
        firm.write([("K1", "Ny AS", "911111111", "")], CUSTOMER_HEADERS, CUSTOMERS)
        firm.doubt("cut_before", "K1", match="POST customer")
        firm.by_hand("PUT", "/10007", {"corporateId": {"value": "911111111"}}, "customer")
        firm.ahead_s += LONG_S

        stays = firm.settle()

        assert (stays["status"], "10007 (another name)" in stays["message"]) == ("unknown", True)


@pytest.mark.parametrize(
    ("mapping", "settings", "numbering", "status"),
    [
        (NUMBER_ONLY, AUTOMATIC, "", "unknown"),
        (NUMBER_ONLY, LENIENT, "automatic", "unknown"),
        (NUMBER_ONLY, LENIENT, "import", "unknown"),
        (NUMBER_ONLY, LENIENT, "manual", "not_sent"),
        (NUMBER_ONLY, LENIENT, "{customerInvoice: manual}", "not_sent"),
        (NUMBER_ONLY, LENIENT, "{customer: manual}", "unknown"),
        (TAKES_OURS, AUTOMATIC, "", "not_sent"),
        (MAPPING, AUTOMATIC, "", "not_sent"),
        (MAPPING.replace("  externalReference: Invoice no\n", ""), AUTOMATIC, "", "unknown"),
    ],
)
def test_a_missing_number_proves_absence_only_where_visma_takes_ours(
    tmp_path: Path, mapping: str, settings: Settings, numbering: str, status: str
) -> None:
    """Under automatic numbering the document may have another number; a reference of our own proves it either way."""
    with office(tmp_path, mapping, settings=settings) as firm:
        targets = firm.project / "targets.yaml"
        targets.write_text(targets.read_text() + (f"  numbering: {numbering}\n" if numbering else ""))
        firm.doubt("cut_before", "F0003")
        firm.ahead_s += LONG_S

        assert firm.settle()["status"] == status


def test_nothing_is_concluded_where_no_document_is_known_that_the_look_up_must_find(tmp_path: Path) -> None:
    """The first document of a journal stays unknown: nothing shows that the look-up works."""
    with office(tmp_path, rows=invoice_rows(1)) as firm:
        firm.doubt("cut_before", "F0001")
        firm.ahead_s += LONG_S

        stays = firm.settle()

        assert (stays["status"], "known to be there" in stays["message"]) == ("unknown", True)


@pytest.mark.parametrize(("sent", "kept"), [(("F0002", "acme"), ("F0002", "ACME")), (("f2", "10002"), ("F2", "10002"))])
def test_what_agrees_but_for_its_casing_is_neither_absent_nor_ours(
    tmp_path: Path, sent: tuple[str, str], kept: tuple[str, str]
) -> None:
    """A company may keep numbers and references in capitals: what stands there so is named, and not sent again."""
    rows = invoice_rows(3)
    rows[1] = (*sent, *rows[1][2:])
    settings = Settings(
        numbering={"customerInvoice": "automatic", "customer": "lenient"},
        ignored_filters=frozenset({"externalReference", "customer"}),
    )
    with office(tmp_path, rows=rows, settings=settings) as firm:
        firm.by_hand("POST", "", {"number": {"value": "ACME"}, "name": {"value": "Acme AS"}}, "customer")
        firm.doubt("cut_before", sent[0])
        reference, customer = kept
        firm.post(**{**SECOND, "externalReference": reference, "customerNumber": customer})
        firm.ahead_s += LONG_S

        stays = firm.settle()
        assert (stays["status"], "000003" in stays["message"]) == ("unknown", True)
        assert firm.resolve("--key", sent[0], "--not-there", "--yes")[0] == 0
        # the journal does not know it, so that it is a person's to decide
        later = firm.run()
        assert (later.code, later.document(sent[0])["status"], len(firm.numbers)) == (4, "changed", 3)


@pytest.mark.parametrize(("known", "status"), [("F1", "unknown"), ("INVOICE-2025-0000001", "not_sent")])
def test_a_short_reference_that_is_found_proves_nothing_of_a_longer_one(
    tmp_path: Path, known: str, status: str
) -> None:
    """A company may cut references to a length: only one as long shows that the look-up would find it."""
    (row,) = invoice_rows(1)
    rows = [(known, *row[1:]), ("INVOICE-2025-0000002", *row[1:4], 3, *row[5:])]
    with office(tmp_path, rows=rows) as firm:
        firm.doubt("cut_before", "INVOICE-2025-0000002")
        firm.ahead_s += LONG_S

        stays = firm.settle()
        assert (stays["status"], "known to be there" in stays["message"]) == (status, status == "unknown")


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_nothing_is_concluded_from_lists_that_lag(tmp_path: Path, kind: str) -> None:
    """A list that does not show the documents of the same hour shows neither that this one is there nor that not."""
    with office(tmp_path, settings=replace(AUTOMATIC, lists_lag_s=10 * LONG_S)) as firm:
        firm.doubt(kind)
        firm.ahead_s += LONG_S

        stays = firm.settle()
        assert (stays["status"], "known to be there" in stays["message"]) == ("unknown", True)
        firm.ahead_s += 20 * LONG_S
        assert firm.settle()["status"] == ("accepted" if kind == "cut_after" else "not_sent")


@pytest.mark.parametrize(
    ("kind", "status", "number"), [("cut_after", "accepted", "000004"), ("cut_before", "not_sent", None)]
)
def test_filters_that_are_passed_over_never_give_another_document(
    tmp_path: Path, kind: str, status: str, number: str | None
) -> None:
    """Every row of every page is compared here: a list of all documents gives the right one, or none."""
    passed_over = frozenset({"externalReference", "customer"})
    settings = replace(AUTOMATIC, ignored_filters=passed_over, max_page_size=1)
    with office(tmp_path, settings=settings) as firm:
        # the reference of one, the customer of another
        firm.post(**{**SECOND, "customerNumber": "10009"})
        firm.post(**{**SECOND, "externalReference": "F9999"})
        firm.doubt(kind)
        firm.ahead_s += LONG_S

        found = firm.settle()

        assert (found["status"], found["number"]) == (status, number)


def test_two_documents_with_the_same_reference_stay_in_doubt_and_both_are_named(firm: Office) -> None:
    """Nobody but a person can tell which of them it is, or why there are two."""
    firm.doubt("cut_after")
    firm.post(**SECOND)
    firm.ahead_s += LONG_S

    stays = firm.settle()
    assert (stays["status"], "000002, 000004" in stays["message"]) == ("unknown", True)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"customerNumber": "10005"}, "customer"),
        ({"documentDate": "2025-01-28"}, "date"),
        ({"currencyId": "EUR"}, "currency"),
        ({"lines": ((1, 1), (1, 1))}, "number of lines"),
    ],
)
def test_what_has_the_number_but_is_another_document_is_named(
    tmp_path: Path, other: dict[str, Any], named: str
) -> None:
    """The number that was asked for has gone to a document that somebody typed: a person looks at it."""
    mapping = NUMBER_ONLY.replace("fields:\n", "fields:\n  currencyId: {value: NOK}\n")
    with office(tmp_path, mapping, settings=LENIENT) as firm:
        firm.doubt("cut_before")
        firm.post(referenceNumber="F0002", **{**SECOND, "currencyId": "NOK", **other})
        firm.ahead_s += LONG_S

        stays = firm.settle()

        assert (stays["status"], f"F0002 (another {named})" in stays["message"]) == ("unknown", True)


def test_what_is_found_with_other_amounts_is_accepted_and_told(firm: Office) -> None:
    """It agrees in all that identifies it; that somebody changed its price is for people to see."""
    ran = firm.doubt("cut_before")
    firm.post(**SECOND, lines=((2, 25),))

    found = firm.settle()

    assert (found["status"], found["number"]) == ("accepted", "000003")
    assert "Its amount is 50.00, 39.8 was sent: compare them." in found["message"]
    assert found["message"] in report_of(firm, ran).document("F0002")["message"]


def test_what_the_journal_has_under_another_key_is_not_taken(tmp_path: Path) -> None:
    """Two invoices carry one order's reference: the one that is known is named, not given away twice."""
    mapping = MAPPING.replace("externalReference: Invoice no", "externalReference: Text")
    rows = [(f"F000{n}", "10001", date(2025, 1, 27), "ORDER-7", n, 10) for n in (1, 2)]
    with office(tmp_path, mapping, rows) as firm:
        firm.doubt("cut_before")
        firm.ahead_s += LONG_S

        stays = firm.settle()

        assert stays["status"] == "unknown"
        assert "000001 (the document with the key 'F0001')" in stays["message"]


@pytest.mark.parametrize(
    ("kind", "nth"), [("500_before", None), ("cut_before", None), ("400_plain", None), ("400_plain", 2)]
)
def test_what_cannot_be_read_stays_in_doubt_and_says_why(tmp_path: Path, kind: str, nth: int | None) -> None:
    """A list that does not come, or breaks off after a page, is no list without the document."""
    settings = replace(AUTOMATIC, ignored_filters=frozenset({"externalReference", "customer"}), max_page_size=1)
    with office(tmp_path, settings=settings) as firm:
        firm.doubt("cut_before")
        firm.ahead_s += LONG_S
        firm.box.faults.append(Fault(match="GET customerinvoice", kind=kind, nth=nth))  # type: ignore[arg-type]

        stays = firm.settle()

        assert (stays["status"], "could not be read" in stays["message"]) == ("unknown", True)


class Pages(RawServer):
    """Answer every look-up with one body, once a write came in."""

    page = b"[]"

    def _reply(self, request: bytes) -> bytes:
        asked = request.startswith(b"GET ") and self.requests
        return http(200, self.page, Content_Type="application/json") if asked else super()._reply(request)


@pytest.mark.parametrize(
    "page", [b"<html>Sign in</html>", b"", b"[{", b'{"value": []}', b'{"message": "busy"}', b"null", b"[]]", b"\xff"]
)
def test_a_page_that_is_no_list_stays_in_doubt(tmp_path: Path, page: bytes) -> None:
    """What a proxy answers with 200 proves nothing, and the reason says so."""
    project = make_project(tmp_path, invoice_rows(1))
    with Pages(lambda _number, _request: b"") as server:
        aim(project, server.base_url)
        command("run", "mapping.yaml", "--target", "test", "--yes", cwd=project)
        server.page = page
        code, out, _ = command("resolve", "--settle-after", "0", "--target", "test", cwd=project)

        assert (code, len(server.requests)) == (5, 1)
    assert "The list could not be read: Visma answered 200." in " ".join(out.split())
