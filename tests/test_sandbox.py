"""What the simulated API takes and refuses, over real HTTP, each rule by itself."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sandbox_api import CREDIT, CUSTOMER, DEBIT, INVOICE, Api, api, customer, document, folder, line, serve, wrapped

from importer.sandbox import inspect

__all__ = ["api", "folder"]


@pytest.mark.parametrize("prefix", ["", "/API/controller/api"])
@pytest.mark.parametrize("path", [INVOICE, "/V1/CUSTOMERINVOICE", "/v2/CustomerInvoice", CREDIT, DEBIT])
def test_both_prefixes_and_any_casing_reach_a_resource(api: Api, prefix: str, path: str) -> None:
    """The created document is found at its Location, whose prefix is the one called."""
    answer = api("POST", prefix + path, document(path))
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["Location"].lower().startswith(f"{api.box.base_url}{prefix}/v1/customer".lower())
    assert api("GET", answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/customerinvoice/000001"),
        ("GET", "/v2/customerinvoice"),
        ("POST", "/v2/customer"),
        ("DELETE", f"{DEBIT}/000001"),
        ("POST", f"{INVOICE}/000001/action/unheardOf"),
        ("GET", f"{INVOICE}/999999"),
        ("PUT", f"{INVOICE}/999999"),
        ("GET", "/erp/service/v1/customer"),
    ],
)
def test_what_the_api_does_not_offer_is_404(api: Api, method: str, path: str) -> None:
    """A route that does not exist, and a number nothing has, are both not found."""
    api.create(DEBIT)
    assert api(method, path, "{}").status_code == 404


def test_only_customer_and_v2_creates_answer_an_etag(api: Api) -> None:
    """A version-1 create of a document promises no ETag."""
    assert "ETag" in api("POST", CUSTOMER, customer()).headers
    assert "ETag" in api("POST", "/v2/customerinvoice", document()).headers
    assert "ETag" not in api("POST", INVOICE, document()).headers


def test_path_keys_are_percent_encoded_or_base64(api: Api) -> None:
    """A number with reserved characters is reached in both spellings, and Location quotes it."""
    location = api("POST", INVOICE, document(referenceNumber="A/1 æ")).headers["Location"]
    assert location.endswith("/A%2F1%20%C3%A6")
    packed = base64.urlsafe_b64encode("A/1 æ".encode()).decode().rstrip("=")
    for url in (location, f"{INVOICE}/b64({packed})"):
        assert api("GET", url).json()["referenceNumber"] == "A/1 æ"


def test_unknown_properties_are_ignored_unless_strict(api: Api, tmp_path: Path) -> None:
    """The API keeps quiet about a misspelt field; a strict sandbox names each."""
    api.create(referenceNumber="1", customerReference="typo")
    assert "customerReference" not in inspect.documents(tmp_path / "state", "customerInvoice")[0]["body"]
    with serve(tmp_path / "other", strict=True) as strict:
        lines = [line(colour="red")]
        assert "'invoiceLines[0].colour'" in strict.error(document(invoiceLines=lines))


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"invoiceLines": [line(quantity="2")]}, "invoiceLines[0].quantity.value"),
        ({"customerNumber": "10000"}, "customerNumber"),
        ({"customerNumber": {"value": 10000}}, "customerNumber.value"),
        ({"hold": {"value": "true"}}, "hold.value"),
        ({"contact": {"value": 1.5}}, "contact.value"),
        ({"documentDate": {"value": "27.01.2025"}}, "documentDate.value"),
        ({"documentDate": {"value": "2025-02-30"}}, "documentDate.value"),
        ({"invoiceLines": {"value": []}}, "invoiceLines"),
        ({"invoiceLines": [{"operation": {"value": "Insert"}}]}, "invoiceLines[0].operation"),
        ({"billingAddress": {"city": {"value": "Oslo"}}}, None),
    ],
)
def test_a_wrong_type_or_wrapping_names_the_path(api: Api, body: Any, path: str | None) -> None:
    """A value of the wrong JSON type is refused; an object without its wrapper is not seen at all."""
    answer = api("POST", INVOICE, {**document(), **body})
    assert answer.status_code == (400 if path else 201)
    if path:
        assert answer.json()["message"].startswith("Error converting value")
        assert f"Path '{path}'." in answer.json()["message"]


@pytest.mark.parametrize("body", ["", "{", "[]", '{"exchangeRate": {"value": NaN}}', b"\xff", "[" * 99999])
def test_a_body_that_is_not_a_json_object_is_refused(api: Api, body: Any) -> None:
    """Broken JSON gets an answer, and NaN is not JSON."""
    assert api("POST", INVOICE, body).status_code == 400


def test_numbers_keep_every_digit(api: Api, folder: Path) -> None:
    """12.50 stays 12.50, and a sum that floats get wrong is exact."""
    prices = ("12.50", "0.1", "1234567890123456.789")
    lines = [
        json.dumps(line(quantity=3)).replace("3}", f'3}}, "unitPriceInCurrency": {{"value": {p}}}') for p in prices
    ]
    head = json.dumps(document(invoiceLines=[]))
    number = api("POST", INVOICE, head.replace("[]", f"[{','.join(lines)}]")).headers["Location"]
    text = api("GET", number).text
    assert all(f'"unitPriceInCurrency": {price}' in text for price in prices)
    assert '"amount": 0.30,' in text
    assert '"amount": 3703703670370370.37,' in text
    stored = inspect.documents(folder, "customerInvoice")[0]["body"]["invoiceLines"]
    assert [str(entry["unitPriceInCurrency"]["value"]) for entry in stored] == list(prices)


def test_series_numbers_have_zeros_and_pass_over_taken_ones(api: Api) -> None:
    """Documents count from 000001, customers from 30000, each resource for itself."""
    assert api.create(referenceNumber="000002") == "000002"
    assert [api.create(), api.create(), api.create(CREDIT)] == ["000001", "000003", "000001"]
    assert api.create(CUSTOMER) == "30000"
    assert api.create(CUSTOMER, number="00012") == "00012"


def test_automatic_numbering_takes_a_number_only_when_told_to(folder: Path) -> None:
    """The flag overrideNumberSeries works on customers and version 2 of documents, not on version 1."""
    with serve(folder, numbering="automatic") as api:
        assert api.create(referenceNumber="9") == "000001"
        assert api.create(referenceNumber="9", overrideNumberSeries=True) == "000002"
        assert api.create("/v2/customerinvoice", referenceNumber="9", overrideNumberSeries=True) == "9"
        assert api.create(CUSTOMER, number="9", overrideNumberSeries=True) == "9"


def test_manual_numbering_wants_a_number(folder: Path) -> None:
    """The regime can be set for one resource alone."""
    with serve(folder, numbering={"customerInvoice": "manual"}) as api:
        assert "'referenceNumber' cannot be empty." in api.error(document())
        assert (api.create(referenceNumber="0007"), api.create(CREDIT)) == ("0007", "000001")


def test_a_taken_number_is_refused_with_the_erps_words(api: Api) -> None:
    """The same number is free in another resource, and nothing is created twice."""
    api.create(referenceNumber="5")
    api.create(CREDIT, referenceNumber="5")
    taken = "Another process has added the '{}' record. Your changes will be lost."
    message = api.error(document(referenceNumber="5"))
    assert message.startswith("VismaId: ")
    assert message.endswith(f"Error creating document. Error: {taken.format('Invoice')}")
    message = api.error(customer(number="10000"), CUSTOMER)
    assert message.endswith(f"Error inserting the customer. Error: {taken.format('Customer')}")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"customerNumber": "99999"}, "Customer '99999' cannot be found in the system."),
        ({"customerNumber": ""}, "'Customer' cannot be empty."),
        ({"currencyId": "NKO"}, "Currency 'NKO' cannot be found in the system."),
        ({"creditTermsId": "TT"}, "Terms 'TT' cannot be found in the system."),
        ({"billingAddress": wrapped({"countryId": "NOR"})}, "Country 'NOR' cannot be found in the system."),
        ({"invoiceLines": [line(vatCodeId="0")]}, "TaxCategoryID '0' cannot be found in the system."),
        ({"invoiceLines": [line(inventoryNumber="UNKNOWN-1")]}, "Inventory ID 'UNKNOWN-1' cannot be found"),
        ({"invoiceLines": [line(description="")]}, "'Inventory ID' and 'Description' cannot both be empty."),
        ({"invoiceLines": [wrapped({"description": "A"})]}, "'operation' cannot be empty."),
        ({"documentDate": "2014-12-31"}, "The 12-2014 financial period is closed."),
        ({"financialPeriod": "201412"}, "The 12-2014 financial period is closed."),
        ({"postPeriod": "132025"}, "Financial Period cannot be found in the system."),
        ({"postPeriod": "012025", "financialPeriod": "202502"}, "disagree"),
    ],
)
def test_the_business_refuses_what_the_company_does_not_have(api: Api, fields: Any, words: str) -> None:
    """The message has the recorded wording, and nothing is created."""
    message = api.error(document(**fields))
    assert message.startswith("VismaId: ")
    assert "Error creating document. Error: " in message
    assert words in message
    assert api.numbers("") == []


def test_several_errors_come_as_lines(api: Api) -> None:
    """Each error of a body stands on a line of its own."""
    message = api.error(document(customerNumber="1", currencyId="XXX", creditTermsId="TT"))
    assert len(message.split("\r\nError: ")) == 4
    message = api.error(customer(name="", creditTermsId="TT"), CUSTOMER)
    assert "Error: 'Customer name' cannot be empty.\r\nError: Terms 'TT'" in message


def test_an_inactive_customer_gets_no_documents(api: Api) -> None:
    """The customer's status is changed by PUT and holds at once."""
    assert api("PUT", f"{CUSTOMER}/10001", wrapped({"status": "Inactive"})).status_code == 204
    assert "Inactive" in api.error(document(customerNumber="10001"))


def test_every_company_starts_with_the_same_hundred_customers(api: Api, folder: Path) -> None:
    """They are there for documents to refer to, and do not count as created."""
    first = api("GET", f"{CUSTOMER}?pageSize=500").json()
    assert [row["number"] for row in first] == [str(number) for number in range(10000, 10100)]
    assert {letter for row in first for letter in row["name"]} >= set("æøåäö")
    assert all(row["corporateId"] and row["vatRegistrationId"] and row["currencyId"] for row in first)
    assert inspect.documents(folder, "customer") == []
    assert len(inspect.documents(folder, "customer", seed=True)) == 100
