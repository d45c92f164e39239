"""What the API holds comes out whole, typed, each row once; what was not asked for never slips in."""

import csv
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from end_to_end import RawServer, command, http
from hypothesis import given
from hypothesis import strategies as st

from importer import fetch, fetch_files
from importer.api.client import Client
from importer.api.session import Session
from importer.errors import TargetError, UsageError
from importer.sandbox import Sandbox, Settings, inspect

ACCEPTED_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{3})?)?")
#: More digits than Excel keeps, and than a float.
EXACT = "1234567890123456.75"
UPDATE = """\
version: 1
name: customers
endpoint: customer.update
compare: true
key: number
fields:
  name: name
  status: status
  corporateId: corporateId
  vatRegistrationId: vatRegistrationId
  mainAddress:
    addressLine1: mainAddress.addressLine1
    postalCode: mainAddress.postalCode
    city: mainAddress.city
    countryId: mainAddress.country.id
  mainContact: {email: mainContact.email}
"""


class Lists(RawServer):
    """Answer each read with whatever bytes a test wants."""

    def _reply(self, request: bytes) -> bytes:
        self.requests.append(request)
        return self._answer(len(self.requests) - 1, request)


def page(*rows: dict[str, Any], **metadata: int) -> bytes:
    """Write one page of a list, each row with the paging's metadata."""
    return http(200, json.dumps([{**row, "metadata": metadata} for row in rows]).encode())


@contextmanager
def session_with(base_url: str) -> Iterator[Session]:
    client = Client(base_url, timeout_s=(5.0, 10.0))
    try:
        yield Session(client)
    finally:
        client.close()


def numbers_in(file: Path) -> list[str]:
    """Return the numbers of the rows in a file of JSON lines."""
    return [json.loads(text)["number"] for text in file.read_text(encoding="utf-8").splitlines()]


def fetched(base_url: str, request: fetch.Request, page_size: int = 100) -> fetch.Fetched:
    with session_with(base_url) as session:
        return fetch.fetch(session, request, page_size=page_size)


def create(base_url: str, path: str, *bodies: dict[str, Any]) -> None:
    with session_with(base_url) as session:
        for body in bodies:
            answer = session.write("POST", path, json.dumps(body).encode())
            assert getattr(answer, "status", None) == 201, answer


def wrapped(**fields: Any) -> dict[str, Any]:
    return {name: value if isinstance(value, list) else {"value": value} for name, value in fields.items()}


def line(**fields: Any) -> dict[str, Any]:
    return {"operation": "Insert", **wrapped(**fields)}


def invoice(number: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    given = {"referenceNumber": number, "customerNumber": "10000", "documentDate": "2025-01-27", **more}
    return wrapped(**given, invoiceLines=list(lines) or [line(description="Kaffe", quantity=1, unitPriceInCurrency=2)])


def items(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows as they are read: every number with a point exact."""
    return json.loads(json.dumps(rows).replace(f'"{EXACT}"', EXACT), parse_float=Decimal)


def aim(folder: Path, box: Sandbox) -> None:
    """Declare a sandbox that is served already as the target of a project."""
    (folder / "secret.txt").write_text("a secret", encoding="utf-8")
    target = {
        "base_url": box.base_url,
        "token_url": box.token_url,
        "tenant_id": box.company_id,
        "client_id": "somebody",
        "client_secret": {"file": "secret.txt"},
        "default": True,
    }
    (folder / "targets.yaml").write_text(json.dumps({"test": target}), encoding="utf-8")


def test_350_customers_come_through_pages_of_100(tmp_path: Path) -> None:
    """Every page is asked for with both paging parameters and the condition, encoded, and every row comes once."""
    with Sandbox(tmp_path / "box", settings=Settings(max_page_size=100)) as box:
        aim(tmp_path, box)
        create(box.base_url, "/v1/customer", *(wrapped(number=f"9{n:04}", name=f"Ny {n}") for n in range(250)))
        box.requests_log.clear()
        code, stdout, stderr = command(
            "fetch", "customer", "-o", "all.jsonl", "--since", "2025-01-01T08:00", cwd=tmp_path
        )
        queries = [logged.query for logged in box.requests_log if logged.method == "GET"]
        since = numbers_in(tmp_path / "all.jsonl")
        command("fetch", "customer", "-o", "all.jsonl", "--since", "2024-12-31", "--json", cwd=tmp_path)
        numbers = numbers_in(tmp_path / "all.jsonl")

    assert code == 0, stderr
    assert "250 customers from test" in stdout
    assert len(since) == 250
    assert len(numbers) == len(set(numbers)) == 350
    assert [re.search(r"pageNumber=(\d+)", query)[1] for query in queries] == ["1", "2", "3"]  # type: ignore[index]
    for query in queries:
        assert "pageSize=100" in query
        assert "lastModifiedDateTimeCondition=%3E%3D" in query
        assert "lastModifiedDateTime=2025-01-01T08%3A00%3A00&" in query
        assert "Z" not in query


@pytest.mark.parametrize("largest", [7, 100, 1000])
def test_the_api_may_give_smaller_pages_than_asked_for(tmp_path: Path, largest: int) -> None:
    """The smaller of both page sizes says where a list ends."""
    with Sandbox(tmp_path, settings=Settings(max_page_size=largest)) as box:
        found = fetched(box.base_url, fetch.request_for("customer", [], []), page_size=50)

    assert len({item["number"] for item in found.items}) == len(found.items) == 100
    assert found.warnings == ()


def test_a_row_that_moves_between_pages_is_there_once_and_told() -> None:
    """Rows are told apart by number; where the count of the API does not agree, a warning says so."""
    pages = [
        page({"number": "1"}, {"number": "2", "name": "old"}, totalCount=4, maxPageSize=2),
        page({"number": "2", "name": "new"}, {"number": "3"}, totalCount=4, maxPageSize=2),
    ]
    with Lists(lambda number, _: pages[number]) as server:
        found = fetched(server.base_url, fetch.request_for("customer", [], []))

    assert [item["number"] for item in found.items] == ["1", "2", "3"]
    assert found.items[1]["name"] == "new"
    assert len(found.warnings) == 1
    assert "counts 4 customers, 3 were read" in found.warnings[0]


def test_an_api_that_pages_no_further_does_not_keep_us_forever() -> None:
    """Without a count, a page that holds nothing new ends the reading, with a warning."""
    with Lists(lambda _n, _r: http(200, b'[{"number": "1"}, {"number": "2"}]')) as server:
        found = fetched(server.base_url, fetch.request_for("customer", [], []), page_size=2)

    assert len(server.requests) == 2
    assert [item["number"] for item in found.items] == ["1", "2"]
    assert "Page 2 held only rows of earlier pages" in found.warnings[0]


def test_an_empty_list_is_no_trouble(tmp_path: Path) -> None:
    """An empty list has no metadata at all; the file then has a header."""
    code, stdout, _ = command("fetch", "customerInvoice", "-o", "none.xlsx", cwd=tmp_path)

    assert code == 0
    assert "0 customer invoices from sandbox" in stdout
    sheet = openpyxl.load_workbook(tmp_path / "none.xlsx").worksheets[0]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [["referenceNumber"]]


@pytest.mark.parametrize(
    ("resource", "given", "said"),
    [
        ("custmer", [], "Did you mean 'customer'?"),
        ("customer", ["sttus=Active"], "Did you mean 'status'?"),
        ("customerInvoice", ["externalRefrence=A1"], "Did you mean 'externalReference'?"),
        ("customerInvoice", ["pageSize=9"], "no filter 'pageSize'"),
        ("customerInvoice", ["documentDateCondition=>="], "Did you mean 'documentDate'?"),
        ("customer", ["greaterThanValue=1"], "no filter 'greaterThanValue'"),
        ("customer", ["status=Actve"], "Did you mean 'Active'?"),
        ("customer", ["status"], "NAME=VALUE"),
        ("customer", ["name="], "has no value"),
        ("customer", ["name=a\tb"], "a character that nobody sees"),
        ("customer", ["status=Active", "status=Inactive"], "given twice"),
        ("customerInvoice", ["documentDate=2025-01-01"], "needs one of >= <= > <"),
        ("customerInvoice", ["documentDate="], "in quotes"),
        ("customerInvoice", ["documentDate=>=2025-02-30"], "takes a day"),
        ("customerInvoice", ["documentDate=>=01.02.2025"], "takes a day"),
        ("customerInvoice", ["documentDate=>=2025-02-01T00:00:00"], "takes a day"),
        ("customer", ["lastModifiedDateTime=>=2025-01-14T08:00:00Z"], "no time zone"),
        ("customer", ["lastModifiedDateTime=>=2025-01-14T08:00:00+01:00"], "no time zone"),
        ("customer", ["lastModifiedDateTime=>=2025-W03"], "takes 2025-01-14"),
        ("customer", ["lastModifiedDateTime=>=２０２５-01-14"], "takes 2025-01-14"),
        ("customerInvoice", ["dunningLetterDateTime=>=2025-01-14"], "needs one of > <"),
        ("customerInvoice", ["financialPeriod=012025"], "2025-01, 202501 or 01-2025"),
        ("customerInvoice", ["financialPeriod=2025-14"], "2025-01, 202501 or 01-2025"),
        ("customerInvoice", ["dunningLevel=two"], "whole number"),
        ("customerInvoice", ["released=yes"], "Allowed: 0, 1."),
    ],
)
def test_what_the_api_would_pass_over_is_refused_before_anything_is_asked(
    resource: str, given: list[str], said: str
) -> None:
    """A filter the API does not know is answered with every row, so each mistake is a message with the way out."""
    with pytest.raises(UsageError) as refused:
        fetch.request_for(resource, given, [])

    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["2025-01", "202501", "01-2025"])
def test_a_period_is_sent_as_the_filter_wants_it(tmp_path: Path, text: str) -> None:
    """Filters by period take YYYYMM, however the user writes it."""
    assert fetch.request_for("customerInvoice", [f"financialPeriod={text}"], []).query == {"financialPeriod": "202501"}


@given(
    st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2090-01-01")),
    st.sampled_from(["days", "minutes", "seconds", "milliseconds"]),
)
def test_no_date_is_ever_sent_in_another_form(moment: datetime, precision: str) -> None:
    """Whatever moment is asked for, it goes out in a form that the API accepts, with its condition."""
    text = moment.date().isoformat() if precision == "days" else moment.isoformat(timespec=precision)
    query = fetch.request_for("customer", [f"lastModifiedDateTime=>= {text}", f"createdDateTime=<{text}"], []).query

    assert query["lastModifiedDateTimeCondition"] == ">="
    assert query["createdDateTimeCondition"] == "<"
    for name in ("lastModifiedDateTime", "createdDateTime"):
        assert ACCEPTED_MOMENT.fullmatch(query[name])
        assert datetime.fromisoformat(query[name]) <= moment


def test_every_filter_of_the_table_is_one_that_a_read_can_be_compared_with() -> None:
    """The table holds together: types are known, enums have values, dates have conditions, others none."""
    for listing in fetch.listings().values():
        for name, spec in listing.filters.items():
            assert (spec.name, bool(spec.description)) == (name, True)
            assert spec.type in {"text", "enum", "integer", "period", "date", "datetime"}
            assert bool(spec.values) is (spec.type == "enum")
            assert bool(spec.conditions) is (spec.type in {"date", "datetime"})
            assert set(spec.conditions) <= {">=", "<=", ">", "<"}
        assert listing.path.startswith("/v1/")


@pytest.mark.parametrize(
    ("given", "left", "dropped"),
    [
        (["status=hold"], ["A2"], 2),
        (["customer=10001"], ["A3"], 2),
        (["externalReference=R-1"], ["A1"], 2),
        (["documentDate=>=2025-02-01"], ["A3"], 2),
        (["documentDate=<2025-02-01", "status=Balanced"], ["A1"], 2),
    ],
)
def test_rows_that_an_ignored_filter_let_through_are_left_out_and_told(
    tmp_path: Path, given: list[str], left: list[str], dropped: int
) -> None:
    """Each row is compared here with what was asked for, and a warning says how many were not that."""
    names = frozenset({"status", "customer", "externalReference", "documentDate"})
    for ignored in (frozenset[str](), names):
        with Sandbox(tmp_path, settings=Settings(ignored_filters=ignored)) as box:
            if not ignored:
                create(
                    box.base_url,
                    "/v1/customerinvoice",
                    invoice("A1", externalReference="R-1"),
                    invoice("A2", hold=True),
                    invoice("A3", customerNumber="10001", documentDate="2025-02-03"),
                )
            found = fetched(box.base_url, fetch.request_for("customerInvoice", given, []))

        assert [item["referenceNumber"] for item in found.items] == left
        assert bool(found.warnings) is bool(ignored)
    shown = re.findall(r"(\d+) of \d+ rows are not", " ".join(found.warnings))
    assert sum(map(int, shown)) == dropped


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            http(400, b'{"message": "lastModifiedDateTime and its condition."}'),
            "answered 400. lastModifiedDateTime and",
        ),
        (http(200, b"<html>Sign in</html>"), "no whole list"),
        (http(200, b'{"records": []}'), "no whole list"),
        (http(200, b'[{"name": "no number"}]'), "no whole list"),
        (http(401), "answered 401"),
    ],
)
def test_a_page_that_cannot_be_read_ends_the_reading(answer: bytes, said: str) -> None:
    """No half list is ever taken for a whole one; the message names the page and the next step."""
    first = page({"number": "1"}, {"number": "2"}, totalCount=4, maxPageSize=2)
    with Lists(lambda number, _: first if number == 0 else answer) as server, pytest.raises(TargetError) as failed:
        fetched(server.base_url, fetch.request_for("customer", [], []))

    assert "The list of customers (page 2) could not be read" in str(failed.value)
    assert said in str(failed.value)
    assert "visma-import doctor" in str(failed.value)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """When the reading fails, the file of last time is as it was, and no part of a new one lies beside it."""
    (tmp_path / "c.csv").write_text("last time", encoding="utf-8")
    first = page({"number": "1"}, {"number": "2"}, totalCount=4, maxPageSize=2)
    with Lists(lambda number, _: first if number == 1 else http(403)) as server:
        target = {"base_url": server.base_url, "token_url": f"{server.base_url}/t", "client_id": "somebody"}
        more = {"tenant_id": "11111111-2222-3333-4444-555555555555", "client_secret": {"file": "c.csv"}}
        (tmp_path / "targets.yaml").write_text(json.dumps({"test": {**target, **more}}), encoding="utf-8")
        code, _, stderr = command("fetch", "customer", "-o", "c.csv", "--target", "test", cwd=tmp_path)
    assert code == 3
    assert "No token" in stderr
    for name, wanted in (("there/c.csv", "folder"), ("c.xls", ".xlsx, .csv, .jsonl")):
        code, _, stderr = command("fetch", "customer", "-o", name, cwd=tmp_path)
        assert (code, wanted in stderr) == (2, True), stderr
    (tmp_path / "full.csv").mkdir()
    with pytest.raises(UsageError):
        fetch_files.suffix_of(tmp_path / "full.csv")

    assert (tmp_path / "c.csv").read_text(encoding="utf-8") == "last time"
    assert {file.name for file in tmp_path.iterdir()} <= {"c.csv", "targets.yaml", "full.csv", ".visma-import"}


ROWS = items(
    {
        "name": "=HYPERLINK(1)",
        "number": "0101",
        "documentDate": "2025-01-27T00:00:00",
        "creditLimit": 19.9,
        "exact": 0.1,
        "internalId": 7,
        "printInvoices": True,
        "phone": "+47 123",
        "mainAddress": {"addressLine1": "2025-01-27", "country": {"id": "NO"}},
        "attributes": [{"id": "A", "value": "1"}],
        "parentRecord": None,
        "gln": None,
        "createdDateTime": "2025-01-27T00:00:00.000",
        "timeStamp": "+AAA=",
        "metadata": {"totalCount": 2, "maxPageSize": 10},
    },
    {
        "number": "00102",
        "name": "Å\r\nB_x0041_",
        "documentDate": "2024-02-29T00:00:00Z",
        "creditLimit": -1234.56,
        "exact": EXACT,
        "internalId": 8,
        "printInvoices": False,
        "mainAddress": {"addressLine1": "x", "addressLine2": "y", "country": {"id": "SE"}},
        "parentRecord": {"number": "0101"},
        "createdDateTime": "2025-01-27T10:30:00.500",
        "timeStamp": "-AA=",
        "dunningLetterDate": "0001-01-01T00:00:00",
    },
)


def written(
    tmp_path: Path, name: str, rows: list[dict[str, Any]], *, lines: bool = False, expands: tuple[str, ...] = ()
) -> Path:
    resource = "customerInvoice" if lines or expands else "customer"
    fetch_files.write(tmp_path / name, fetch.request_for(resource, [], expands), rows, lines=lines)
    return tmp_path / name


def test_a_workbook_holds_every_value_with_its_type(tmp_path: Path) -> None:
    """Text stays text, digits stay, dates and booleans are real, nothing is a formula, nothing is metadata."""
    file = written(tmp_path, "c.xlsx", ROWS)
    sheet = openpyxl.load_workbook(file).worksheets[0]
    header, first, second = (list(row) for row in sheet.iter_rows())
    names = [cell.value for cell in header]
    one, two = dict(zip(names, first, strict=True)), dict(zip(names, second, strict=True))

    assert names == [
        *("number", "name", "documentDate", "creditLimit", "exact", "internalId", "printInvoices", "phone"),
        *("mainAddress.addressLine1", "mainAddress.addressLine2", "mainAddress.country.id", "parentRecord.number"),
        *("gln", "createdDateTime", "timeStamp", "dunningLetterDate"),
    ]
    assert all(cell.font.b for cell in header)
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("B2", f"A1:P{len(ROWS) + 1}")
    assert (one["number"].value, one["number"].data_type, one["number"].number_format) == ("0101", "s", "@")
    assert (one["name"].value, one["name"].data_type) == ("=HYPERLINK(1)", "s")
    assert (one["phone"].value, one["timeStamp"].value) == ("+47 123", "+AAA=")
    assert one["mainAddress.addressLine1"].value == "2025-01-27"
    assert one["documentDate"].value == datetime.fromisoformat("2025-01-27")
    assert one["documentDate"].number_format == "yyyy-mm-dd"
    assert two["documentDate"].value == datetime.fromisoformat("2024-02-29")
    assert two["createdDateTime"].value.replace(microsecond=0) == datetime.fromisoformat("2025-01-27T10:30")
    assert two["dunningLetterDate"].value == "0001-01-01T00:00:00"
    assert one["printInvoices"].value is True
    assert (one["internalId"].value, one["internalId"].number_format) == (7, "0")
    assert (two["creditLimit"].value, two["creditLimit"].number_format) == (-1234.56, "0.00")
    assert two["exact"].value == "1234567890123456.75", "no digit is lost"
    assert "formula" not in {cell.data_type for cell in (*first, *second)}
    with zipfile.ZipFile(file) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<v>19.9</v>" in xml
    assert "<v>-1234.56</v>" in xml
    assert "<f" not in xml.replace("<fo", "")
    assert sheet.column_dimensions["A"].number_format == "@", "0103 typed below stays text"


def test_a_csv_is_read_by_excel_and_by_programs(tmp_path: Path) -> None:
    """UTF-8 with its mark, semicolons; only texts that begin like formulas get an apostrophe."""
    raw = written(tmp_path, "c.csv", ROWS).read_bytes()
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines(keepends=True), delimiter=";"))

    assert raw.startswith(b"\xef\xbb\xbfnumber;name;")
    assert rows[0]["number"] == "0101"
    assert rows[0]["name"] == "'=HYPERLINK(1)"
    assert rows[0]["phone"] == "'+47 123"
    assert rows[1]["timeStamp"] == "'-AA="
    assert rows[1]["creditLimit"] == "-1234.56"
    assert rows[1]["exact"] == "1234567890123456.75"
    assert rows[0]["documentDate"] == "2025-01-27"
    assert rows[1]["createdDateTime"] == "2025-01-27 10:30:00"
    assert (rows[0]["printInvoices"], rows[0]["gln"]) == ("TRUE", "")


def test_json_lines_keep_every_row_whole(tmp_path: Path) -> None:
    """Lists and objects stay as they came, every digit too; the paging's metadata goes."""
    raw = written(tmp_path, "c.jsonl", ROWS).read_text(encoding="utf-8")
    back = [json.loads(text, parse_float=Decimal) for text in raw.splitlines()]

    assert back == [{name: value for name, value in row.items() if name != "metadata"} for row in ROWS]
    assert "1234567890123456.75" in raw


def test_a_text_that_no_cell_holds_whole_is_told(tmp_path: Path) -> None:
    """Who sends such a workbook back has to know that it says less."""
    request = fetch.request_for("customer", [], [])
    rows = [{"number": "1", "note": "x" * 40_000}, {"number": "2", "note": "a\x07b"}, {"number": "3", "note": "a\r\nb"}]
    _, notes = fetch_files.write(tmp_path / "c.xlsx", request, rows)

    assert len(notes) == 1
    assert notes[0].startswith("2 texts could not be written whole")


INVOICES = items(
    {
        "referenceNumber": "1",
        "amount": 3,
        "invoiceLines": [{"lineNumber": 1, "amount": 1.5, "attachments": []}, {"lineNumber": 2, "amount": 1.5}],
        "taxDetails": [{"taxId": "3", "vatId": {"number": "3"}}, {"taxId": "1"}],
    },
    {"referenceNumber": "2", "amount": 0, "invoiceLines": []},
)


def test_lines_have_a_row_each_with_their_document_repeated(tmp_path: Path) -> None:
    """Without --lines a document has one row; with it each line has, and a document without lines keeps its own."""
    rows = {
        lines: [
            [cell.value for cell in row]
            for row in openpyxl.load_workbook(
                written(tmp_path, "i.xlsx", INVOICES, lines=lines, expands=("applications",))
            )
            .worksheets[0]
            .iter_rows()
        ]
        for lines in (False, True)
    }

    assert rows[False] == [["referenceNumber", "amount"], ["1", 3], ["2", 0]]
    assert rows[True] == [
        ["referenceNumber", "amount", "invoiceLines.lineNumber", "invoiceLines.amount"],
        ["1", 3, 1, 1.5],
        ["1", 3, 2, 1.5],
        ["2", 0, None, None],
    ]


def test_parts_that_were_asked_for_have_columns(tmp_path: Path) -> None:
    """A list has no place in a table, but who asks for one by name gets its entries side by side."""
    request = fetch.request_for("customerInvoice", [], ["taxDetails", "attachments"])
    table = fetch_files.table(request, INVOICES)

    assert request.query == {"expandTaxDetails": "true", "expandAttachments": "true"}
    assert table.headers == (
        *("referenceNumber", "amount", "taxDetails.1.taxId", "taxDetails.1.vatId.number", "taxDetails.2.taxId"),
    )
    with pytest.raises(UsageError, match="Did you mean 'taxDetails'"):
        fetch.request_for("customerInvoice", [], ["taxdetail"])


def test_the_options_reach_the_api(tmp_path: Path) -> None:
    """Each short option is a filter of the API, and one that a list does not have is refused."""
    with Sandbox(tmp_path / "box") as box:
        aim(tmp_path, box)
        create(
            box.base_url,
            "/v1/customerCreditNote",
            wrapped(customerNumber="10000", documentDate="2025-01-27", lines=[line(description="x")]),
        )
        code, _, stderr = command(
            *("fetch", "customerCreditNote", "-o", "n.xlsx", "--status", "balanced", "--period", "01-2025"),
            *("--expand", "attachments,taxDetails", "--since", "2025-01-14", "--quiet"),
            cwd=tmp_path,
        )
        query = box.requests_log[-1].query
        refused, _, _ = command("fetch", "customer", "-o", "n.xlsx", "--project", "P1", cwd=tmp_path)
        no_lines, _, why = command("fetch", "customer", "-o", "n.xlsx", "--lines", cwd=tmp_path)

    assert code == 0, stderr
    assert {"status=Balanced", "financialPeriod=202501", "expandAttachments=true", "expandTaxDetails=true"} <= set(
        query.split("&")
    )
    assert (refused, no_lines) == (2, 2)
    assert "customers have no lines" in why
    assert len(openpyxl.load_workbook(tmp_path / "n.xlsx").worksheets[0]["A"]) == 2


def test_what_json_says(tmp_path: Path) -> None:
    """Programs read counts, file and warnings on stdout, and nothing else is there."""
    code, stdout, _ = command("fetch", "customer", "-o", "c.csv", "--filter", "name=fisk", "--json", cwd=tmp_path)
    data = json.loads(stdout)

    assert code == 0
    assert data == {
        "exit_code": 0,
        "resource": "customer",
        "target": "sandbox",
        "documents": 4,
        "rows": 4,
        "file": "c.csv",
        "warnings": [],
    }


def test_a_fetched_workbook_that_was_edited_sends_only_what_was_changed(tmp_path: Path) -> None:
    """100 customers fetched, two cells edited, given to an update that compares: two requests, and nothing else."""
    (tmp_path / "update.yaml").write_text(UPDATE, encoding="utf-8")
    code, _, stderr = command("fetch", "customer", "-o", "customers.xlsx", cwd=tmp_path)
    assert code == 0, stderr
    book = openpyxl.load_workbook(tmp_path / "customers.xlsx")
    sheet = book.worksheets[0]
    column = {cell.value: cell.column for cell in sheet[1]}
    sheet.cell(5, column["mainAddress.postalCode"]).value = "0102"
    sheet.cell(60, column["name"]).value = "Nytt navn AS"
    changed = [sheet.cell(row, column["number"]).value for row in (5, 60)]
    book.save(tmp_path / "customers.xlsx")
    state = tmp_path / ".visma-import" / "sandbox"
    before = {row["number"]: row["body"] for row in inspect.documents(state, "customer", seed=True)}

    code, stdout, stderr = command("run", "update.yaml", "customers.xlsx", cwd=tmp_path)

    after = {row["number"]: row["body"] for row in inspect.documents(state, "customer", seed=True)}
    assert code == 0, stdout + stderr
    assert inspect.writes(state) == 2
    assert [number for number in after if after[number] != before[number]] == changed
    assert after[changed[0]]["mainAddress"]["value"]["postalCode"] == {"value": "0102"}
    assert after[changed[1]]["name"] == {"value": "Nytt navn AS"}


def test_what_a_cell_cannot_keep_is_no_change(tmp_path: Path) -> None:
    """White space around a text, its line breaks and its composed letters are not edits of the user."""
    (tmp_path / "update.yaml").write_text(UPDATE, encoding="utf-8")
    state = tmp_path / ".visma-import" / "sandbox"
    names = {
        "90001": " Øst AS ",
        "90002": "A\r\nB",
        "90003": "Blåbær AS",
        "90004": "=1+1",
        "90005": "_x0041_",
        "90006": "NO",
    }
    with Sandbox(state) as box:
        create(box.base_url, "/v1/customer", *(wrapped(number=number, name=name) for number, name in names.items()))
    code, _, stderr = command("fetch", "customer", "-o", "customers.xlsx", "--filter", "status=Active", cwd=tmp_path)
    assert code == 0, stderr
    before = inspect.writes(state)

    code, stdout, stderr = command("run", "update.yaml", "customers.xlsx", cwd=tmp_path)

    assert code == 0, stdout + stderr
    assert inspect.writes(state) == before, "nothing was edited, so nothing is sent"


def test_a_long_page_is_read_whole() -> None:
    """A hundred documents with many lines are some megabytes."""
    lines = [{"lineNumber": number, "description": "x" * 200} for number in range(100)]
    rows = [{"referenceNumber": str(number), "invoiceLines": lines} for number in range(100)]
    with Lists(lambda _n, _r: page(*rows, totalCount=100, maxPageSize=100)) as server:
        found = fetched(server.base_url, fetch.request_for("customerInvoice", [], []))

    assert len(found.items) == 100
    assert len(server.requests) == 1
