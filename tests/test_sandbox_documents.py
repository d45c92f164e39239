"""How the simulated API reads, lists, changes and acts on documents, over real HTTP, each rule by itself."""

import base64
import time
from pathlib import Path

import pytest
from sandbox_api import CREDIT, CUSTOMER, INVOICE, Api, api, folder, line, serve, wrapped

from importer.sandbox import inspect

__all__ = ["api", "folder"]


def test_reading_one_unwraps_it_and_adds_totals(api: Api) -> None:
    """References are objects, dates have a time, both periods are YYYYMM, the ETag is the time stamp."""
    lines = [line(unitPriceInCurrency=2.5, discountPercent=10, vatCodeId="3", subaccount=[{"segmentId": 1}])]
    number = api.create(invoiceLines=lines, postPeriod="022025", creditTermsId="30", hold=True)
    answer = api("GET", f"{INVOICE}/{number}")
    found = answer.json()
    expected = {
        "customer": {"number": "10000", "name": "Fjordgløtt Fisk AS"},
        "creditTerms": {"id": "30"},
        "documentDate": "2025-01-27T00:00:00",
        "postPeriod": "202502",
        "financialPeriod": "202502",
        "documentType": "Invoice",
        "status": "Hold",
        "currencyId": "NOK",
        "amount": 4.5,
    }
    assert {name: found[name] for name in expected} == expected
    assert (found["invoiceLines"][0]["lineNumber"], found["invoiceLines"][0]["vatCode"]) == (1, {"id": "3"})
    assert found["invoiceLines"][0]["subaccount"] == {"segments": [{"segmentId": 1}]}
    assert found["taxDetails"][0]["taxableAmount"] == 4.5
    assert answer.headers["ETag"] == f'"{found["timeStamp"]}"'
    assert len(base64.b64decode(found["timeStamp"])) == 8


def test_lists_are_paged_and_clamped(folder: Path) -> None:
    """A list is a bare array whose rows carry the total; a page too large is cut in silence."""
    with serve(folder, max_page_size=30, default_page_size=10) as api:
        rows = api("GET", f"{CUSTOMER}?pageNumber=4&pageSize=500").json()
        assert [row["number"] for row in rows] == [str(number) for number in range(10090, 10100)]
        assert rows[0]["metadata"] == {"totalCount": 100, "maxPageSize": 30}
        assert len(api.numbers("", CUSTOMER)) == 10
        assert api.numbers("pageNumber=5&pageSize=30", CUSTOMER) == []


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("externalReference=B", 1),
        ("customer=10000&customerRefNumber=R", 1),
        ("customer=1000", 0),
        ("status=BALANCED", 2),
        ("released=0", 2),
        ("financialPeriod=202502", 1),
        ("project=20", 1),
        ("documentDate=2025-02-01&documentDateCondition=>=", 1),
        ("documentDate=2025-02-01&documentDateCondition=%3C", 1),
        ("lastModifiedDateTime=2025-01-14&lastModifiedDateTimeCondition=>=", 2),
        ("createdDateTime=2000-01-01T00:00:00&createdDateTimeCondition=<", 0),
        ("externalRefrence=B", 2),
    ],
)
def test_document_filters(api: Api, query: str, count: int) -> None:
    """Named filters pick documents; a parameter nobody knows is passed over."""
    api.create(externalReference="A", project="20", customerRefNumber="R")
    api.create(externalReference="B", documentDate="2025-02-10")
    assert len(api.numbers(query)) == count


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("name=gløtt", 4),
        ("corporateId=100010000", 1),
        ("vatRegistrationId=NO100010000MVA", 1),
        ("email=faktura-10003@example.invalid", 1),
        ("status=active", 100),
        ("greaterThanValue=10050", 100),
    ],
)
def test_customer_filters(api: Api, query: str, count: int) -> None:
    """A name is found by a part of it, everything else only as a whole."""
    assert len(api.numbers(query, CUSTOMER)) == count


@pytest.mark.parametrize(
    "query",
    [
        "lastModifiedDateTime=2025-01-14",
        "createdDateTimeCondition=>",
        "lastModifiedDateTime=2025-01-14T10:00:00Z&lastModifiedDateTimeCondition=>",
        "documentDate=2025-01-14W&documentDateCondition=>",
    ],
)
def test_half_a_condition_or_a_zone_letter_is_refused(api: Api, query: str) -> None:
    """Date and condition come together, and a date has no letter beyond T."""
    assert api("GET", f"{INVOICE}?{query}").status_code == 400


def test_parts_are_left_out_of_lists_unless_expanded(api: Api) -> None:
    """Attachments and tax details come when they are asked for."""
    api.create()
    assert "taxDetails" not in api("GET", f"{INVOICE}?expandTaxDetails=false").json()[0]
    row = api("GET", f"{INVOICE}?expandTaxDetails=true&expandAttachments=true").json()[0]
    assert (row["taxDetails"], row["attachments"]) == ([], [])


def test_a_put_changes_what_it_mentions(api: Api) -> None:
    """Lines are added, changed and deleted by their numbers; the rest stays."""
    number = api.create(invoiceLines=[line(), line(), line()], invoiceText="Old", externalReference="X")
    changes = [line(operation="Insert", lineNumber=1), line(operation="Update", lineNumber=2, quantity=9)]
    changes.append(wrapped({"operation": "Delete", "lineNumber": 3}))
    answer = api("PUT", f"{INVOICE}/{number}", wrapped({"invoiceText": "New", "invoiceLines": changes}))
    assert (answer.status_code, answer.content) == (204, b"")
    read = api("GET", f"{INVOICE}/{number}")
    assert read.headers["ETag"] == answer.headers["ETag"]
    found = read.json()
    assert (found["invoiceText"], found["externalReference"]) == ("New", "X")
    assert [(row["lineNumber"], row["quantity"]) for row in found["invoiceLines"]] == [(1, 2), (2, 9), (4, 2)]
    lost = {"invoiceLines": [line(operation="Update", lineNumber=7)]}
    assert "Line '7' cannot be found" in api.error(lost, f"{INVOICE}/{number}", "PUT")


def test_a_put_merges_an_address(api: Api) -> None:
    """Of a nested object only the fields that are sent change."""
    api("PUT", f"{CUSTOMER}/10000", wrapped({"mainAddress": wrapped({"addressLine1": "TestRoad 50"})}))
    address = api("GET", f"{CUSTOMER}/10000").json()["mainAddress"]
    assert (address["addressLine1"], address["country"]) == ("TestRoad 50", {"id": "NO"})


def test_a_stale_if_match_is_412(api: Api) -> None:
    """PUT and actions honour the quoted ETag and change nothing when it is old."""
    number = api.create()
    path = f"{INVOICE}/{number}"
    first = api("GET", path).headers["ETag"]
    change = wrapped({"invoiceText": "New"})
    assert api("PUT", path, change, headers={"If-Match": first}).status_code == 204
    assert api("PUT", path, change, headers={"If-Match": first}).status_code == 412
    assert api("POST", f"{path}/action/release", headers={"If-Match": first}).status_code == 412


def test_a_release_is_queued_and_then_locks_the_document(folder: Path) -> None:
    """200 is not yet released; once it is, nothing can be changed, deleted or released again."""
    with serve(folder, release_delay_s=0.3) as api:
        path = f"{INVOICE}/{api.create()}"
        result = api("POST", f"{path}/action/release").json()
        assert (result["actionResult"], result["errorInfo"]) == ("Queued", "")
        assert api("GET", path).json()["status"] == "Balanced"
        time.sleep(0.35)
        assert api("GET", path).json()["status"] == "Open"
        message = "Document can't be updated because it is already released."
        assert api.error(wrapped({"invoiceText": "No"}), path, "PUT") == message
        assert api("DELETE", path).status_code == 400
        assert api("POST", f"{path}/action/release").status_code == 400


def test_unreleased_invoices_and_credit_notes_can_be_deleted(api: Api) -> None:
    """After 204 the document is gone."""
    for path in (INVOICE, CREDIT):
        number = api.create(path)
        assert api("DELETE", f"{path}/{number}").status_code == 204
        assert api("GET", f"{path}/{number}").status_code == 404


def test_dunning_letters_are_noted(api: Api, folder: Path) -> None:
    """The body is not wrapped; each call makes a letter."""
    letter = {"dunningLetterDate": "2025-01-21T09:39:48.538Z", "levelFrom": 1, "levelTo": 2}
    path = f"{CUSTOMER}/10000/action/createDunningLetter"
    assert [api("POST", path, letter).json()["actionResult"] for _ in range(2)] == ["Done", "Done"]
    assert api("POST", path, {"levelFrom": {"value": 1}}).status_code == 400
    assert inspect.actions(folder, "customer", "createDunningLetter") == [{"number": "10000", "body": letter}] * 2


def test_an_invoice_is_sent_and_reversed(api: Api) -> None:
    """Reversing a released invoice makes a credit note of its lines."""
    path = f"{INVOICE}/{api.create()}"
    assert api("POST", f"{path}/action/sendToAutoInvoice").json()["actionResult"] == "Done"
    assert api("POST", f"{path}/action/reverse", {"returnCreditNote": False}).status_code == 400
    api("POST", f"{path}/action/release")
    number = api("POST", f"{path}/action/reverse", {"returnCreditNote": False}).json()["referenceNumber"]
    assert api("GET", f"{CREDIT}/{number}").json()["lines"][0]["amount"] == 4
