"""Prove the simulated API over real HTTP, each rule by itself."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from importer.errors import ProgramError, StartError
from importer.sandbox import Fault, Sandbox, Settings, catalog, inspect, reset

INVOICE, CREDIT, DEBIT, CUSTOMER = (
    "/v1/customerinvoice",
    "/v1/customerCreditNote",
    "/v1/customerDebitNote",
    "/v1/customer",
)
TENANT = "11111111-2222-3333-4444-555555555555"


class Api:
    """Send requests to a sandbox over one kept connection."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.http = requests.Session()
        self.http.trust_env = False

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        data = body if isinstance(body, str | bytes | None) else json.dumps(body)
        url = path if path.startswith("http") else self.box.base_url + path
        return self.http.request(method, url, data=data, timeout=10, allow_redirects=False, **more)

    def create(self, path: str = INVOICE, **fields: Any) -> str:
        """Create something and return its number."""
        answer = self("POST", path, customer(**fields) if path == CUSTOMER else document(path, **fields))
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def error(self, body: Any, path: str = INVOICE, method: str = "POST") -> str:
        """Send what has to be refused with 400 and return the message."""
        answer = self(method, path, body)
        assert answer.status_code == 400
        return answer.json()["message"]

    def numbers(self, query: str, path: str = INVOICE) -> list[str]:
        """Return the numbers that a list request gives."""
        answer = self("GET", f"{path}?{query}")
        assert answer.status_code == 200, answer.text
        return [row.get("referenceNumber", row.get("number")) for row in answer.json()]


def wrapped(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: content if isinstance(content, list) or name == "operation" else {"value": content}
        for name, content in fields.items()
    }


def line(**fields: Any) -> dict[str, Any]:
    return wrapped({"operation": "Insert", "description": "Potatoes", "quantity": 2, **fields})


def document(path: str = INVOICE, **fields: Any) -> dict[str, Any]:
    lines = "invoiceLines" if "invoice" in path.lower() else "lines"
    given = {"customerNumber": "10000", "documentDate": "2025-01-27", lines: [line(unitPriceInCurrency=2)]}
    return wrapped({**given, **fields})


def customer(**fields: Any) -> dict[str, Any]:
    return wrapped({"name": "Blåbær AS", **fields})


@contextmanager
def serve(folder: Path, clock: Any = time.time, **settings: Any) -> Iterator[Api]:
    with Sandbox(folder, settings=Settings(**settings), clock=clock) as box:
        api = Api(box)
        with api.http:
            yield api


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def api(folder: Path) -> Iterator[Api]:
    with serve(folder, release_delay_s=0, background_delay_s=0) as api:
        yield api


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


def token(api: Api, **form: str) -> requests.Response:
    asked = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret", **form}
    return api.http.post(api.box.token_url, data=asked, timeout=10)


def test_tokens_open_the_company_they_were_asked_for(folder: Path) -> None:
    """No, a wrong, an expired and a customer-tenant token are 401; no licence is shape B."""
    now = [1000.0]
    settings = {"customer_tenants": frozenset({"c" * 8}), "unlicensed_tenants": frozenset({"u" * 8})}
    with serve(folder, lambda: now[0], require_token=True, clients={"me": "s3cret"}, **settings) as api:

        def read(secret: str) -> requests.Response:
            return api("GET", CUSTOMER, headers={"Authorization": f"Bearer {secret}"})

        granted = token(api, tenant_id=api.box.company_id).json()
        assert (granted["expires_in"], granted["token_type"]) == (3600, "Bearer")
        assert read(granted["access_token"]).status_code == 200
        assert api("GET", CUSTOMER).status_code == read("wrong").status_code == 401
        assert read(token(api, tenant_id="c" * 8).json()["access_token"]).status_code == 401
        unlicensed = read(token(api, tenant_id="u" * 8).json()["access_token"]).json()
        assert unlicensed["ExceptionFaultCode"] == "12027"
        assert token(api, tenant_id=api.box.company_id, client_secret="no").json() == {"error": "invalid_client"}
        assert token(api, tenant_id=api.box.company_id, scope="all").json() == {"error": "invalid_scope"}
        assert token(api, tenant_id=TENANT).status_code == 400
        narrow = token(api, tenant_id=api.box.company_id, scope="vismanet_erp_service_api:create").json()
        assert read(narrow["access_token"]).status_code == 403
        now[0] += 3600
        assert read(granted["access_token"]).status_code == 401


def test_the_limit_counts_a_window_and_then_turns_away(folder: Path) -> None:
    """Four headers on every answer; over the limit nothing is carried out; the window comes back whole."""
    now = [0.0]
    with serve(folder, lambda: now[0], limit_per_hour=2, window_s=60) as api:
        now[0] = 10.5
        assert api("GET", CUSTOMER).headers["X-RateLimit-Remaining"] == "1"
        now[0] = 30
        headers = api("POST", INVOICE, document()).headers
        names = ("Limit", "Remaining", "Reset", "Policy")
        assert [headers[f"X-RateLimit-{name}"] for name in names] == ["2", "0", "41", "4-fixed-window"]
        refused = api("POST", INVOICE, document())
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "41")
        text = "Rate limit is exceeded. Try again in 41 seconds."
        assert refused.json() == {"statusCode": 429, "message": text}
        assert len(inspect.documents(folder, "customerInvoice")) == 1
        now[0] = 71
        assert api("GET", CUSTOMER).headers["X-RateLimit-Remaining"] == "1"


def test_background_requests_are_done_later_and_kept_a_day(folder: Path) -> None:
    """202 at once, Started, then Finished with the status and headers of the real work; 410 after a day."""
    now = [1000.0]
    with serve(folder, lambda: now[0], background_delay_s=5) as api:
        quiet = {"erp-api-background": "none"}
        good = api("POST", INVOICE, document(), headers=quiet)
        bad = api("POST", INVOICE, document(customerNumber="1"), headers=quiet).json()["stateLocation"]
        assert (good.status_code, set(good.json())) == (202, {"id", "stateLocation"})
        address = good.json()["stateLocation"]
        state = api("GET", address).json()
        assert (state["status"], state["statusCode"], api.numbers("")) == ("Started", 0, [])
        now[0] += 5
        state = api("GET", address).json()
        assert (state["status"], state["statusCode"]) == ("Finished", 201)
        assert api("GET", state["responseHeaders"]["Location"]).json()["referenceNumber"] == "000001"
        assert api("GET", f"{address}/content").status_code == 404
        assert api("GET", bad).json()["statusCode"] == 400
        assert "cannot be found" in api("GET", f"{bad}/content").json()["message"]
        now[0] += 24 * 3600
        assert api("GET", address).status_code == api("GET", f"{bad}/content").status_code == 410


@pytest.mark.parametrize(
    ("fault", "status", "held"),
    [
        ({"kind": "500_before"}, 500, 0),
        ({"kind": "500_after"}, 500, 1),
        ({"kind": "500_message"}, 500, 0),
        ({"kind": "502_html"}, 502, 0),
        ({"kind": "502_html", "commit": True}, 502, 1),
        ({"kind": "503"}, 503, 0),
        ({"kind": "429"}, 429, 0),
        ({"kind": "401"}, 401, 0),
        ({"kind": "400_plain"}, 400, 0),
        ({"kind": "307"}, 307, 0),
        ({"kind": "no_location"}, 201, 1),
        ({"kind": "other_location"}, 201, 1),
        ({"kind": "202"}, 202, 0),
        ({"kind": "cut_before"}, None, 0),
        ({"kind": "cut_after"}, None, 1),
        ({"kind": "hang", "delay_s": 0.05}, 201, 1),
        ({"kind": "late", "delay_s": 0.05}, 201, 1),
    ],
)
def test_faults_on_demand(api: Api, folder: Path, fault: Any, status: int | None, held: int) -> None:
    """Each fault answers as named and creates, or does not, as named; the next request is well again."""
    api.box.faults.append(Fault(match="POST CustomerInvoice", nth=2, **fault))
    api.create()
    if status is None:
        with pytest.raises(requests.ConnectionError):
            api("POST", INVOICE, document())
    else:
        answer = api("POST", INVOICE, document())
        assert answer.status_code == status
        assert ("Location" in answer.headers) is (fault["kind"] not in {"no_location"} and status in (201, 202, 307))
        assert answer.headers.get("Location", "").endswith("999999") is (fault["kind"] == "other_location")
    assert len(inspect.documents(folder, "customerInvoice")) == 1 + held
    api.create()
    assert [entry.status for entry in api.box.requests_log] == [201, status or 0, 201]
    assert inspect.writes(folder) == 3


def test_a_fault_can_strike_every_nth_request_and_the_token(api: Api) -> None:
    """Without nth and every it strikes always; the token's address can be hit too."""
    api.box.faults.extend([Fault(match="GET customer", kind="503", every=3), Fault(match="* token", kind="500_before")])
    assert [api("GET", CUSTOMER).status_code for _ in range(6)] == [200, 200, 503, 200, 200, 503]
    assert token(api).status_code == 500


def test_lists_can_lag_and_ignore_filters(folder: Path) -> None:
    """What look-ups must not be fooled by can be rehearsed."""
    now = [1000.0]
    lists = {"lists_lag_s": 20, "ignored_filters": frozenset({"externalReference"})}
    with serve(folder, lambda: now[0], **lists) as api:
        number = api.create(externalReference="A")
        assert (api.numbers(""), api("GET", f"{INVOICE}/{number}").status_code) == ([], 200)
        now[0] += 20
        assert api.numbers("externalReference=B") == [number]


def test_the_log_keeps_requests_but_no_secrets(api: Api) -> None:
    """Method, path, query as sent, headers and status, without the token's value."""
    api("GET", f"{CUSTOMER}?name=A%3Db", headers={"Authorization": "Bearer hidden"})
    token(api)
    first, second = api.box.requests_log
    assert (first.method, first.path, first.query, first.status) == ("GET", CUSTOMER, "name=A%3Db", 200)
    assert first.headers["authorization"] == "***"
    assert "s3cret" not in repr(second)


def test_the_state_stays_until_a_reset_and_is_its_owners(folder: Path) -> None:
    """A second sandbox meets what the first one made; a reset empties it and renews the company."""
    with serve(folder) as api:
        api.create()
        company = api.box.company_id
    assert ((folder / "sandbox.db").stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    with serve(folder) as api:
        assert (api.box.company_id, len(api.numbers(""))) == (company, 1)
        reset(folder)
        assert api.box.company_id != company
        assert (api.numbers(""), inspect.writes(folder)) == ([], 0)
        assert (len(api.numbers("", CUSTOMER)), api.create()) == (100, "000001")


def test_looking_into_no_state_makes_none(folder: Path) -> None:
    """Inspection of a folder without a sandbox finds nothing and leaves nothing behind."""
    assert (inspect.documents(folder, "customer"), inspect.writes(folder), folder.exists()) == ([], 0, False)


def test_a_stopped_sandbox_answers_nobody(folder: Path) -> None:
    """Kept connections end with it, a hanging answer does not hold it up, and a taken port is named."""
    box = Sandbox(folder).start()
    with Api(box).http as http, ThreadPoolExecutor() as pool:
        address = box.base_url
        with pytest.raises(StartError, match="Choose another port"):
            Sandbox(folder, port=int(address.rpartition(":")[2])).start()
        box.faults.append(Fault(match="GET", kind="hang", delay_s=60))
        hanging = pool.submit(http.get, address + CUSTOMER, timeout=30)
        while not box._store or not box._server._open:
            time.sleep(0.01)
        began = time.monotonic()
        box.stop()
        assert time.monotonic() - began < 2
        assert hanging.exception() or hanging.result()
        with pytest.raises(requests.ConnectionError):
            http.get(address + CUSTOMER, timeout=5)
    with pytest.raises(StartError):
        _ = box.base_url


def test_a_further_resource_is_a_row_of_data(tmp_path: Path) -> None:
    """Suppliers work after adding their rows to resources.json, without any code."""
    source = Path(catalog.__file__).with_name("resources.json")
    tables = json.loads(source.read_text(encoding="utf-8"))
    tables["types"]["Supplier"] = {"number": "text", "name": "text", "mainAddress": "{Address}"}
    row = {**tables["resources"]["customer"], "path": "supplier", "body": "Supplier", "record": "Supplier"}
    tables["resources"]["supplier"] = {**row, "series": {"start": 50000, "width": 5}, "actions": {}}
    path = tmp_path / "resources.json"
    path.write_text(json.dumps(tables), encoding="utf-8")
    with serve(tmp_path / "state", catalog=path) as api:
        assert api.create("/v1/supplier", name="A") == "50000"
        assert api("GET", "/v1/supplier/50000").json()["name"] == "A"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ProgramError):
        catalog.load(path)


CHILD = """
import sys
from pathlib import Path
from importer.sandbox import Sandbox
with Sandbox(Path(sys.argv[1])) as box:
    print(box.base_url, flush=True)
    sys.stdin.read()
"""


def test_two_processes_share_a_state_without_losing_or_doubling(folder: Path) -> None:
    """Two hundred creates through two processes at once give two hundred numbers."""
    command = [sys.executable, "-c", CHILD, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as one, subprocess.Popen(command, **pipes) as two:
        urls = [child.stdout.readline().strip() for child in (one, two)]

        def create(url: str) -> list[str]:
            with requests.Session() as http:
                http.trust_env = False
                made = [http.post(url + INVOICE, json=document(), timeout=60) for _ in range(50)]
                return [answer.headers["Location"].rpartition("/")[2] for answer in made]

        with ThreadPoolExecutor(4) as pool:
            numbers = [number for made in pool.map(create, urls * 2) for number in made]
    assert sorted(numbers) == [f"{number:06}" for number in range(1, 201)]
    assert [held["number"] for held in inspect.documents(folder, "customerInvoice")] == sorted(numbers)
    assert inspect.writes(folder) == 200
