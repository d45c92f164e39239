"""A number that the answer left open is read back before anybody relies on it."""

from pathlib import Path

from end_to_end import NUMBERED, import_into, invoice_rows, make_project

from importer.api.client import Client
from importer.api.session import Session
from importer.api.verdict import Verdict
from importer.endpoints import table
from importer.expect import Expectation
from importer.model import Document, Status
from importer.readback import confirm
from importer.sandbox import Fault, Sandbox, Settings, inspect

INVOICE = "customerInvoice"


def test_a_number_of_visma_s_own_is_believed_where_our_document_stands_there(tmp_path: Path) -> None:
    """A series that ignores our numbers gives others; the row says which, and nothing is in doubt."""
    project = make_project(tmp_path / "project", invoice_rows(3), NUMBERED)
    with Sandbox(tmp_path / "box", settings=Settings(numbering="automatic")) as box:
        ran = import_into(project, box.base_url)
        again = import_into(project, box.base_url)
        held = [document["number"] for document in inspect.documents(tmp_path / "box", INVOICE)]

    assert (ran.code, ran.counts) == (0, {"accepted": 3})
    assert [document["number"] for document in ran.documents] == held
    assert all("instead of" in document["message"] for document in ran.documents)
    assert (again.code, again.counts) == (0, {"already_accepted": 3})


def test_the_number_of_another_document_is_never_believed(tmp_path: Path) -> None:
    """The answer names a document that an earlier row has: our own is looked up, and has its own number."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    sent = Document(
        key="F0002",
        rows=(3,),
        expect=Expectation(reference="F0002", customer="10002", day="2025-01-27", lines=1).dump(),
    )
    said = Verdict(status=Status.ACCEPTED, message="", number="000001")
    with Sandbox(tmp_path / "box") as box:
        import_into(project, box.base_url)
        client = Client(box.base_url)
        found = confirm(Session(client), table()[f"{INVOICE}.create"], sent, said, {"000001": "F0001"})
        lost = confirm(
            Session(client), table()[f"{INVOICE}.create"], Document(key="X", rows=(9,)), said, {"000001": "F1"}
        )
        client.close()

    assert (found.status, found.number) == (Status.ACCEPTED, "000002")
    assert (lost.status, lost.number) == (Status.UNKNOWN, None)


def test_a_number_that_the_answer_does_not_name_is_looked_up(tmp_path: Path) -> None:
    """A whole 201 without a Location is accepted, and its number is found by what was sent."""
    project = make_project(tmp_path / "project", invoice_rows(2))
    fault = Fault(match="POST customerinvoice", kind="no_location", nth=1)
    with Sandbox(tmp_path / "box", settings=Settings(faults=(fault,))) as box:
        ran = import_into(project, box.base_url)
        held = [document["number"] for document in inspect.documents(tmp_path / "box", INVOICE)]

    assert (ran.code, ran.counts) == (0, {"accepted": 2})
    assert [document["number"] for document in ran.documents] == held
