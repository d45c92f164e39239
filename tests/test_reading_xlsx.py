"""Workbooks of Excel that are written in another way, or to hurt, are read right or refused with a reason."""

import re
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from confined import confined
from sheet_xml import SHEET, column, rewrite, with_rows
from test_reading_report import record_of

from importer.errors import WorkbookError
from importer.report.workbook_copy import load
from importer.workbook import read

TRANSITIONAL = re.compile(r"http://schemas\.openxmlformats\.org/(\w+)/2006/((?:relationships/)?)([\w-]+)")
STRICT_WORDS = {"extended-properties": "extendedProperties", "custom-properties": "customProperties"}


def strict(file: Path) -> Path:
    """Write a workbook again as Excel's "Strict Open XML Spreadsheet"."""

    def name(match: re.Match[str]) -> str:
        kind, link, last = match.groups()
        if kind == "package" or (kind == "officeDocument" and last == "docPropsVTypes"):
            return match[0]
        return f"http://purl.oclc.org/ooxml/{kind}/{link}{STRICT_WORDS.get(last, last)}"

    with zipfile.ZipFile(file) as archive:
        parts = {item.filename: archive.read(item).decode() for item in archive.infolist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in parts.items():
            archive.writestr(part, text if part == "[Content_Types].xml" else TRANSITIONAL.sub(name, text))
    return file


def test_a_strict_workbook_is_read_as_any_other(make_workbook: Any) -> None:
    """Strict OOXML has other namespaces, and its dates are written as ISO 8601."""
    rows = [["No", "Dato", "Beløp"], ["0101", date(2025, 1, 27), Decimal("19.90")], ["0102", 1, 1]]
    file = make_workbook(rows, formats={"B2": "dd.mm.yyyy", "B3": "dd.mm.yyyy hh:mm", "C2": "0.00"})
    rewrite(
        file,
        SHEET,
        lambda text: re.sub(
            r'<c r="B3" s="(\d+)"[^>]*><v>1</v>', r'<c r="B3" s="\1" t="d"><v>2025-01-27T10:30:00</v>', text
        ),
    )
    sheet = read(strict(file))

    assert b"purl.oclc.org" in zipfile.ZipFile(file).read("_rels/.rels")
    assert column(sheet, "No") == {2: "0101", 3: "0102"}
    assert column(sheet, "Dato") == {2: date(2025, 1, 27), 3: datetime.fromisoformat("2025-01-27T10:30:00")}
    assert column(sheet, "Beløp") == {2: Decimal("19.9"), 3: Decimal(1)}


def test_a_report_of_a_strict_workbook_is_written_into_a_copy_of_it(make_workbook: Any, tmp_path: Path) -> None:
    """What can be read can be reported: the copy keeps the widths of the user's columns."""

    def widen(book: openpyxl.Workbook) -> None:
        book.worksheets[0].column_dimensions["A"].width = 33

    file = strict(make_workbook([["No"], ["0101"]], prepare=widen))
    load(file, record_of(file, "Rows")).save(tmp_path / "copy.xlsx")
    copy = openpyxl.load_workbook(tmp_path / "copy.xlsx")["Rows"]

    assert (copy["A2"].value, copy.column_dimensions["A"].width) == ("0101", 33)


def test_c16_each_cell_of_a_shared_formula_has_its_own_result(make_workbook: Any) -> None:
    """C16: a formula is written once for many cells; each of them has its own result, or none."""
    file = make_workbook([["No", "B"]])
    with_rows(
        file,
        '<row r="2"><c r="B2"><f t="shared" ref="B2:B4" si="0">A2*2</f><v>2</v></c></row>'
        '<row r="3"><c r="B3"><f t="shared" si="0"/><v>4</v></c></row>'
        '<row r="4"><c r="B4"><f t="shared" si="0"/></c></row>',
    )

    assert column(read(file), "B") == {2: Decimal(2), 3: Decimal(4), 4: "not_calculated"}


def test_c27_c33_unseen_characters_and_two_part_letters_part_no_header_and_no_key(plan_of: Any) -> None:
    """C27, C33: NBSP, zero-width spaces, a mark and letters in two parts are the same header and the same key."""
    mapping = (
        "version: 1\nendpoint: customer.create\nkey: Kundenr\n"
        "fields: {name: Bestillingsår, note: Bestillingsår}\nlines: {}\n"
    ).replace("lines: {}\n", "")
    rows = [
        ["\ufeffKundenr\u200b", "Bestillings\u00e5r"],
        ["Å1\u00a0", "x"],
        ["\u200bA\u030a1", "x"],
        [" Å1\u2009", "x"],
        ["å1", "x"],
    ]
    rows[0][1] = "Bestillingsa\u030ar\u00a0"
    plan = plan_of(mapping, rows)

    assert [(document.key, document.rows) for document in plan.documents] == [("Å1", (2, 3, 4)), ("å1", (5,))]
    assert plan.problems == ()


@pytest.mark.parametrize("char", ["\u00ad", "\u200b", "\u200d", "\u200e", "\u202c", "\u2060", "\ufeff"])
def test_c33_an_unseen_character_within_a_header_is_none_and_within_a_key_a_problem(plan_of: Any, char: str) -> None:
    """C33: a header is what people see; a key with such a character would be another when it is typed again."""
    mapping = "version: 1\nendpoint: customer.create\nkey: Kundenr\nfields: {name: Navn}\n"
    rows = [[f"Kunde{char}nr", f"Na{char}vn"], [f"10{char}01", f"Ola{char}Nordmann"], ["1002", f"Kari{char}Nordmann"]]
    plan = plan_of(mapping, rows)

    assert [(problem.code, problem.row, problem.column) for problem in plan.documents[0].problems] == [
        ("unseen_character", 2, "Kundenr")
    ]
    assert f"U+{ord(char):04X}" in plan.documents[0].problems[0].message
    assert plan.documents[1].problems == ()
    # the interior of a text is the user's own
    assert f"Kari{char}Nordmann".encode() in plan.documents[1].body


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ('<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>', "^0$"),
        ('<row r="1048577"><c r="A1048577"><v>1</v></c></row>', "row 1,048,577, but no sheet has more than 1,048,576"),
        ('<row r="99999999999"><c r="A99999999999"><v>1</v></c></row>', "but no sheet has more than 1,048,576"),
    ],
)
def test_cells_only_at_both_ends_of_the_sheet_cost_neither_time_nor_memory(
    make_workbook: Any, xml: str, words: str
) -> None:
    """A header in A1 and a lost cell in XFD1048576, or beyond any sheet, do not kill the process."""
    file = with_rows(make_workbook([["No"]]), xml)

    assert re.search(words, confined(file))


@pytest.mark.parametrize("content", ["zeros", "members", "twice"])
def test_a_zip_bomb_is_refused(make_workbook: Any, content: str) -> None:
    """Parts that unpack to hundreds of megabytes, thousands of parts, or two parts of one name are no workbook."""
    file = make_workbook([["No"], ["1"]])
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        if content == "zeros":
            with archive.open("xl/media/image1.png", "w", force_zip64=True) as part:
                for _ in range(200):
                    part.write(bytes(1_000_000))
        elif content == "members":
            for number in range(5_000):
                archive.writestr(f"xl/{number}", "")
        else:
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(SHEET, "<worksheet/>")

    with pytest.raises(WorkbookError, match=r"that is no workbook to trust\. Copy the rows into a new workbook"):
        read(file)


def test_c30_a_sheet_with_a_title_merged_headers_and_a_second_table_is_read_by_the_declared_row(
    make_workbook: Any,
) -> None:
    """C30, C32: titles, merged or not, are passed over; no column without a header; a second table is rows."""
    rows = [
        ["Rapport"],
        [None],
        ["No", None, "B"],
        ["1", "uten navn", "x"],
        [None],
        ["No", None, "B"],
        ["2", None, "y"],
    ]
    sheet = read(make_workbook(rows, prepare=lambda book: book.worksheets[0].merge_cells("A1:C1")), header_row=3)

    assert sheet.headers == ("No", None, "B")
    assert [(row.number, *row.cells) for row in sheet.rows if not row.blank] == [
        (4, "1", None, "x"),
        (6, "No", None, "B"),
        (7, "2", None, "y"),
    ]
