"""What the API holds comes out whole, each row once; what was not asked for never slips in."""

import re
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from end_to_end import command, http
from fetching import aim, create, fetched, invoice, numbers_in, page, wrapped
from hypothesis import given
from hypothesis import strategies as st
from sessions import Answers

from importer import fetch
from importer.errors import TargetError, UsageError
from importer.sandbox import Sandbox, Settings

ACCEPTED_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{3})?)?")


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
    with Answers(lambda number, _: pages[number]) as server:
        found = fetched(server.base_url, fetch.request_for("customer", [], []))

    assert [item["number"] for item in found.items] == ["1", "2", "3"]
    assert found.items[1]["name"] == "new"
    assert len(found.warnings) == 1
    assert "counts 4 customers, 3 were read" in found.warnings[0]


def test_an_api_that_pages_no_further_does_not_keep_us_forever() -> None:
    """Without a count, a page that holds nothing new ends the reading, with a warning."""
    with Answers(lambda _n, _r: http(200, b'[{"number": "1"}, {"number": "2"}]')) as server:
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
    with Answers(lambda number, _: first if number == 0 else answer) as server, pytest.raises(TargetError) as failed:
        fetched(server.base_url, fetch.request_for("customer", [], []))

    assert "The list of customers (page 2) could not be read" in str(failed.value)
    assert said in str(failed.value)
    assert "visma-import doctor" in str(failed.value)


def test_a_long_page_is_read_whole() -> None:
    """A hundred documents with many lines are some megabytes."""
    lines = [{"lineNumber": number, "description": "x" * 200} for number in range(100)]
    rows = [{"referenceNumber": str(number), "invoiceLines": lines} for number in range(100)]
    with Answers(lambda _n, _r: page(*rows, totalCount=100, maxPageSize=100)) as server:
        found = fetched(server.base_url, fetch.request_for("customerInvoice", [], []))

    assert len(found.items) == 100
    assert len(server.requests) == 1
