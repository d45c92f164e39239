"""What was fetched is written whole and typed: workbooks, CSV and JSON lines."""

import csv
import json
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from end_to_end import command, http
from fetching import EXACT, items, page
from sessions import Answers

from importer import fetch, fetch_files
from importer.errors import UsageError


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """When the reading fails, the file of last time is as it was, and no part of a new one lies beside it."""
    (tmp_path / "c.csv").write_text("last time", encoding="utf-8")
    first = page({"number": "1"}, {"number": "2"}, totalCount=4, maxPageSize=2)
    with Answers(lambda number, _: first if number == 1 else http(403)) as server:
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
