"""Before the first write the API is asked for what is about to be sent: it is the truth, the journal the memory."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from end_to_end import MAPPING, NUMBERED, import_into, invoice_rows, make_project, run_here
from test_resolve import Office, office
from test_search import CUSTOMER_HEADERS, CUSTOMERS

from importer.cli import run_command
from importer.sandbox import Fault, Sandbox, inspect

INVOICE = "customerInvoice"


@pytest.fixture
def firm(tmp_path: Path) -> Iterator[Office]:
    """Serve a company that numbers documents itself."""
    with office(tmp_path) as made:
        yield made


def journal(project: Path) -> Path:
    """Return the journal of a project."""
    return project / ".visma-import" / "journal.db"


def typed_by_hand(base_url: str, **fields: Any) -> None:
    """Create an invoice as somebody at the screen would."""
    line = {"operation": "Insert", "description": {"value": "Kaffe 1"}, "quantity": {"value": 2}}
    body = {name: {"value": value} for name, value in fields.items()} | {"invoiceLines": [line]}
    by_hand("POST", f"{base_url}/v1/customerinvoice", body)


def by_hand(method: str, url: str, body: dict[str, Any]) -> None:
    """Do in Visma what somebody at the screen would."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, json=body)

    assert answer.status_code in (201, 204), answer.text


def test_a_lost_journal_doubles_nothing(tmp_path: Path) -> None:
    """The journal is deleted between two runs: everything is changed, with its number, and nothing is sent."""
    project = make_project(tmp_path / "project", invoice_rows(12))
    with Sandbox(tmp_path / "box") as box:
        first = import_into(project, box.base_url)
        writes = inspect.writes(tmp_path / "box")
        journal(project).unlink()
        again = import_into(project, box.base_url)

        assert inspect.writes(tmp_path / "box") == writes

    assert (again.code, again.counts) == (4, {"changed": 12})
    assert [document["number"] for document in again.documents] == [document["number"] for document in first.documents]
    assert all("resolve --key" in document["message"] for document in again.documents)


def test_an_old_journal_put_back_doubles_nothing(tmp_path: Path) -> None:
    """A copy from before the last run is restored: what it does not know is found in Visma."""
    project = make_project(tmp_path / "project", invoice_rows(6))
    with Sandbox(tmp_path / "box") as box:
        run_command(["check", str(project / "mapping.yaml")])
        import_into(project, box.base_url)
        shutil.copy(journal(project), tmp_path / "old.db")
        make_project(project, invoice_rows(9))
        import_into(project, box.base_url)
        shutil.copy(tmp_path / "old.db", journal(project))
        ran = import_into(project, box.base_url)
        held = inspect.documents(tmp_path / "box", INVOICE)

    assert (ran.code, ran.counts) == (4, {"already_accepted": 6, "changed": 3})
    assert len(held) == 9


def test_two_folders_with_the_same_file_double_nothing(tmp_path: Path) -> None:
    """Two people import one workbook with a journal each, one after the other."""
    one = make_project(tmp_path / "one", invoice_rows(5))
    two = make_project(tmp_path / "two", invoice_rows(5))
    with Sandbox(tmp_path / "box") as box:
        import_into(one, box.base_url)
        ran = import_into(two, box.base_url)

    assert (ran.code, ran.counts) == (4, {"changed": 5})


def test_an_invoice_typed_by_hand_is_not_sent_again(tmp_path: Path) -> None:
    """Somebody typed one of them at the screen, with the same reference: only the others go out."""
    project = make_project(tmp_path / "project", invoice_rows(3))
    fields = {"customerNumber": "10001", "externalReference": "F0001", "documentDate": "2025-01-27"}
    with Sandbox(tmp_path / "box") as box:
        typed_by_hand(box.base_url, **fields)
        ran = import_into(project, box.base_url)

    assert (ran.code, ran.counts) == (4, {"changed": 1, "accepted": 2})
    assert ran.document("F0001")["status"] == "changed"


@pytest.mark.parametrize(
    ("edit", "differs"),
    [
        ({"documentDate": {"value": "2025-01-28"}}, "another date"),
        ({"documentDate": {"value": "2025-01-02"}}, "another date"),
        ({"invoiceLines": [{"operation": "Insert", "description": {"value": "Frakt"}}]}, "another number of lines"),
    ],
)
@pytest.mark.parametrize("mapping", [MAPPING, NUMBERED])
def test_what_bears_our_reference_is_not_sent_again_although_it_was_changed_in_visma(
    tmp_path: Path, mapping: str, edit: dict[str, Any], differs: str
) -> None:
    """The journal is lost and an invoice was corrected in Visma: it is named with what differs, and nothing is sent."""
    project = make_project(tmp_path / "project", invoice_rows(2), mapping)
    with Sandbox(tmp_path / "box") as box:
        number = import_into(project, box.base_url).document("F0002")["number"]
        journal(project).unlink()
        by_hand("PUT", f"{box.base_url}/v1/customerinvoice/{number}", edit)
        ran = import_into(project, box.base_url)

        assert len(inspect.documents(tmp_path / "box", INVOICE)) == 2

    found = ran.document("F0002")
    assert (ran.code, ran.counts, found["number"]) == (4, {"changed": 2}, number)
    assert f"{number} ({differs})" in found["message"]


def test_a_row_corrected_after_its_first_attempt_came_late_is_not_sent_again(firm: Office) -> None:
    """A look-up did not find it, it came after all, and its date was corrected meanwhile: a person decides."""
    firm.doubt("cut_before")
    assert firm.settle("--settle-after", "0")["status"] == "not_sent"
    firm.post(externalReference="F0002", customerNumber="10002", documentDate="2025-01-27")
    rows = invoice_rows(3)
    firm.write([rows[0], (*rows[1][:2], date(2025, 3, 28), *rows[1][3:]), *rows[2:]])
    before = firm.writes
    ran = firm.run()

    assert (ran.counts["changed"], ran.document("F0002")["status"], firm.writes - before) == (1, "changed", 0)
    assert "another date" in ran.document("F0002")["message"]


def test_two_invoices_of_one_order_are_both_sent_where_the_journal_knows_the_first(firm: Office) -> None:
    """They share reference and customer; the one that is there is another document of this journal's."""
    rows = [(f"F000{n}", "10001", date(2025, 1, 26 + n), "ORDER-7", n, 10) for n in (1, 2)]
    firm.write(rows[:1], mapping=MAPPING.replace("externalReference: Invoice no", "externalReference: Text"))
    assert firm.run().counts == {"accepted": 1}
    firm.write(rows)

    assert firm.run().counts == {"already_accepted": 1, "accepted": 1}


@pytest.mark.parametrize(("word", "count"), [("--accepted", 1), ("--not-there", 2)])
def test_a_customer_with_our_identifier_is_not_created_again_until_a_person_says_so(
    tmp_path: Path, word: str, count: int
) -> None:
    """Somebody typed the company with its name in other letters: it is named, and one word decides."""
    with office(tmp_path) as firm:
        typed = {"name": {"value": "NORDIC TRADING AS"}, "corporateId": {"value": "987654321"}}
        firm.by_hand("POST", "", typed, "customer")
        firm.write([("K1", "Nordic Trading AS", "987654321", "")], CUSTOMER_HEADERS, CUSTOMERS)
        ran = firm.run()
        found = ran.document("K1")
        assert (ran.code, found["status"], "(another name)" in found["message"]) == (4, "changed", True)

        assert firm.resolve("--key", "K1", word, "--yes")[0] == 0

        assert firm.run().code == 0
        names = [one["body"]["name"]["value"].casefold() for one in inspect.documents(firm.state, "customer")]
        assert names.count("nordic trading as") == count


def test_a_number_that_another_document_has_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """The number is taken by somebody else's invoice: the row says by what, and the others go out."""
    project = make_project(tmp_path / "project", invoice_rows(3), NUMBERED)
    with Sandbox(tmp_path / "box") as box:
        typed_by_hand(
            box.base_url, referenceNumber="F0002", customerNumber="10050", documentDate="2025-01-30", currencyId="NOK"
        )
        ran = import_into(project, box.base_url)

    assert (ran.code, ran.counts) == (4, {"rejected": 1, "accepted": 2})
    assert "taken" in ran.document("F0002")["message"]


def test_many_documents_cost_a_list_and_few_a_look_up_each(tmp_path: Path) -> None:
    """Three invoices are not worth a list of hundreds, and hundreds are not worth a look-up each."""
    many = make_project(tmp_path / "many", invoice_rows(120))
    with Sandbox(tmp_path / "box") as box:
        import_into(many, box.base_url)
        lists = [logged for logged in box.requests_log if logged.method == "GET" and "documentDate=" in logged.query]

        assert 1 <= len(lists) <= 3
        assert all("documentDateCondition=%3E%3D" in logged.query for logged in lists)
        assert not any("externalReference=" in logged.query for logged in box.requests_log)


def test_nothing_is_sent_where_the_api_cannot_be_searched(tmp_path: Path) -> None:
    """A look-up that fails is no answer: exit 3, no run."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    with Sandbox(tmp_path / "box") as box:
        box.faults.append(Fault(match="GET customerinvoice", kind="502_html"))
        ran = import_into(project, box.base_url)
        writes = inspect.writes(tmp_path / "box")

    assert (ran.code, ran.folder.exists(), writes) == (3, False, 0)


def test_plan_shows_what_is_in_visma_already(tmp_path: Path, capsys: Any) -> None:
    """Plan asks the same question and sends nothing."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    run_here(project)
    journal(project).unlink()
    capsys.readouterr()
    code = run_command(["plan", str(project / "mapping.yaml")])
    said = capsys.readouterr().out

    assert code == 0
    assert "send 0, skip 0, blocked 2" in said
    assert "in Visma already" in said
