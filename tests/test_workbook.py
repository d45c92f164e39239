"""A sheet is read as Excel shows it: every row under its number, every cell exactly, and nothing unseen taken."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sheet_xml import SHEET, column, rewrite, with_rows

from importer.errors import WorkbookError
from importer.workbook import read

# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_have_the_numbers_that_excel_shows(make_workbook: Any) -> None:
    """Blank rows in between keep their place, blank rows at the end are no rows."""
    sheet = read(make_workbook([["No"], ["1"], [None], [None], ["4"], [" "], [None]]))

    assert column(sheet, "No") == {2: "1", 3: None, 4: None, 5: "4"}
    assert [row.number for row in sheet.rows if row.blank] == [3, 4]


def test_rows_left_out_of_the_file_keep_their_numbers(make_workbook: Any) -> None:
    """A file holds only rows with cells; the next one has the number it says."""
    file = with_rows(
        make_workbook([["No"], ["1"]]), '<row r="7" hidden="1"><c r="A7" t="inlineStr"><is><t>7</t></is></c></row>'
    )
    sheet = read(file)

    assert {number: cell for number, cell in column(sheet, "No").items() if cell} == {2: "1", 7: "7"}
    assert [(row.number, row.hidden) for row in sheet.rows][-2:] == [(6, False), (7, True)]


def test_rows_and_cells_without_an_address_stand_one_after_another(make_workbook: Any) -> None:
    """Some programs leave out where a cell stands: then it is the next."""
    file = make_workbook([["No", "B"], ["1", "x"], ["2", "y"]])
    rewrite(file, SHEET, lambda text: re.sub(r'(<(?:row|c)\b[^>]*?) r="[A-Z]*\d+"', r"\1", text))
    sheet = read(file)

    assert column(sheet, "No") == {2: "1", 3: "2"}
    assert column(sheet, "B") == {2: "x", 3: "y"}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('<row r="3"><c r="A3"><v>3</v></c></row><row r="2"><c r="A2"><v>2</v></c></row>', "has row 2 twice or out of"),
        ('<row r="2"><c r="A2"><v>3</v></c></row><row r="2"><c r="A2"><v>2</v></c></row>', "has row 2 twice or out of"),
        ('<row r="2"><c r="B2"><v>3</v></c><c r="A2"><v>2</v></c></row>', "row 2 has cells that stand twice or out of"),
        ('<row r="2"><c r="A2"><v>3</v></c><c r="A2"><v>2</v></c></row>', "row 2 has cells that stand twice or out of"),
        ('<row r="2"><c r="A9"><v>3</v></c></row>', "row 2 has cells that stand twice or out of"),
    ],
)
def test_rows_and_cells_that_stand_twice_or_out_of_order_are_told(make_workbook: Any, rows: str, words: str) -> None:
    """None of them is left out without a word: Excel finds such a file damaged, and saves it whole."""
    file = with_rows(make_workbook([["No", "B"]]), rows)

    with pytest.raises(WorkbookError, match=rf"{words} order.* Open it in Excel, save it again"):
        read(file)


@pytest.mark.parametrize("dimension", ["", '<dimension ref="A1"/>', '<dimension ref="A1:B2"/>'])
def test_the_declared_dimension_is_not_believed(make_workbook: Any, dimension: str) -> None:
    """A missing or wrong dimension hides no row and no column."""
    file = make_workbook([["No", "B", "C"], ["1", "x", "p"], ["2", "y", "q"]])
    rewrite(file, SHEET, lambda text: re.sub(r"<dimension [^>]*/>", dimension, text))

    assert column(read(file), "C") == {2: "p", 3: "q"}


def test_hidden_rows_are_found(make_workbook: Any) -> None:
    """Rows that are hidden, filtered away or folded are marked, the others are not."""

    def hide(book: openpyxl.Workbook) -> None:
        book.worksheets[0].row_dimensions[3].hidden = True
        book.worksheets[0].row_dimensions.group(5, 6, outline_level=1, hidden=True)

    sheet = read(make_workbook([["No"], *([str(number)] for number in range(2, 8))], prepare=hide))

    assert [row.number for row in sheet.rows if row.hidden] == [3, 5, 6]


def test_merged_cells_are_told(make_workbook: Any) -> None:
    """Merged areas are known, since only their first cell holds a value."""
    rows = [["No", "B"], ["1", "x"], [None, "y"]]
    sheet = read(make_workbook(rows, prepare=lambda book: book.worksheets[0].merge_cells("A2:A3")))

    assert sheet.merged == ("A2:A3",)
    assert column(sheet, "No") == {2: "1", 3: None}


# -- headers and sheets ------------------------------------------------------------------------------------------------


def test_headers_are_read_below_title_rows_and_cleaned(make_workbook: Any) -> None:
    """The declared row holds the headers; line breaks, NBSP and double spaces in them are one space."""
    rows = [["Report", None], [None, None], ["\u00a0Unit\nprice  NOK ", "A\u030ar", None, 2025], ["1", "2", "3", "4"]]
    sheet = read(make_workbook(rows), header_row=3)

    assert sheet.headers == ("Unit price NOK", "År", None, "2025")
    assert [row.number for row in sheet.rows] == [4]


@pytest.mark.parametrize("row", [2, 9])
def test_a_header_row_without_headers_is_refused(make_workbook: Any, row: int) -> None:
    """A blank header row, or one below the sheet, is told with the setting that names it."""
    with pytest.raises(WorkbookError, match=rf"Row {row} of sheet 'Rows' in 'rows.xlsx' holds no headers.*header_row"):
        read(make_workbook([["Title"], [None], ["No"]]), header_row=row)


def test_a_header_that_stands_twice_matters_only_when_it_is_used(plan_of: Any) -> None:
    """Two columns of one name are a problem for a mapping that names it, and none for another."""
    mapping = "version: 1\nendpoint: customer.create\nkey: No\nfields: {name: Name, note: %s}\n"
    rows = [["No", "Text", "Name", "Text"], ["1", "a", "Ola", "b"]]
    used, unused = plan_of(mapping % "Text", rows), plan_of(mapping % "Name", rows)

    assert [(problem.code, problem.column, problem.row) for problem in used.problems] == [
        ("repeated_column", "Text", 1)
    ]
    assert unused.problems == ()


def two_sheets(first: str = "visible", second: str = "visible") -> Callable[[openpyxl.Workbook], None]:
    def add(book: openpyxl.Workbook) -> None:
        book.create_sheet("Other").append(["Wrong"])
        for page, state in zip(book.worksheets, (first, second), strict=True):
            page.sheet_state = state

    return add


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_sheet_is_not_taken_by_itself(make_workbook: Any, state: str) -> None:
    """The only visible sheet is the one; a hidden one is read when it is named."""
    file = make_workbook([["No"], ["1"]], prepare=two_sheets(second=state))

    assert read(file).name == "Rows"
    assert read(file, sheet="Other").name == "Other"


def test_of_several_visible_sheets_none_is_guessed(make_workbook: Any) -> None:
    """Two visible sheets need a word in the mapping."""
    file = make_workbook([["No"], ["1"]], prepare=two_sheets())

    with pytest.raises(WorkbookError, match=r"has 2 visible sheets \(Rows, Other\).*workbook: sheet: NAME"):
        read(file)
    assert read(file, sheet=" Rows\u00a0").name == "Rows"


def test_a_missing_sheet_is_told_with_the_nearest(make_workbook: Any) -> None:
    """A misspelt sheet is refused with the sheets there are."""
    with pytest.raises(WorkbookError, match=r"no sheet 'Rwos'; its sheets are: Rows\. Did you mean 'Rows'\?"):
        read(make_workbook([["No"]]), sheet="Rwos")
    with pytest.raises(WorkbookError, match=r"its sheets are: Rows\. Say which one: workbook: sheet: NAME\."):
        read(make_workbook([["No"]]), sheet="Fakturaer")


def test_of_two_sheets_with_titles_alike_the_one_that_is_named_is_taken(make_workbook: Any) -> None:
    """A copy may differ by a blank that nobody sees: it is never taken for the other."""

    def copy(book: openpyxl.Workbook) -> None:
        book.create_sheet("Rows ").append(["Copy"])

    file = make_workbook([["No"], ["1"]], prepare=copy)

    assert read(file, sheet="Rows").headers == ("No",)
    assert read(file, sheet="Rows ").headers == ("Copy",)
    with pytest.raises(WorkbookError, match=r"has no sheet ' Rows'; its sheets are: Rows, Rows \."):
        read(file, sheet=" Rows")


# -- files that are no workbook ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "damaged or incomplete"),
        (b"<html><table><tr><td>No</td></tr></table></html>", "not an .xlsx workbook, whatever its name says"),
        (b"No;Name\r\n1;Ola\r\n", "not an .xlsx workbook, whatever its name says"),
    ],
)
def test_a_file_of_another_kind_is_told_as_what_it_is(tmp_path: Path, raw: bytes, words: str) -> None:
    """The name .xlsx is not believed; the message says what to do."""
    file = tmp_path / "rows.xlsx"
    file.write_bytes(raw)

    with pytest.raises(WorkbookError, match=words):
        read(file)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_workbook_is_told(make_workbook: Any, share: float) -> None:
    """A download that broke off is damaged, not shorter."""
    file = make_workbook([["No"], *([str(number)] for number in range(500))])
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])

    with pytest.raises(WorkbookError, match="damaged or incomplete"):
        read(file)


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "[Content_Types].xml", "xl/styles.xml"])
@pytest.mark.parametrize("text", ["", "<broken", "<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet>&b;</worksheet>"])
def test_a_workbook_with_a_broken_part_is_told_or_read(make_workbook: Any, part: str, text: str) -> None:
    """Broken or hostile XML in any part is a clear error, never another."""
    file = rewrite(make_workbook([["No"], ["1"]]), part, lambda _: text)

    with pytest.raises(WorkbookError, match=r"damaged|not an \.xlsx|holds no headers|has no sheet|visible sheets"):
        read(file)


def test_a_missing_file_is_told_with_the_nearest(make_workbook: Any) -> None:
    """A misspelt file name is refused with the workbook that lies there."""
    file = make_workbook([["No"]])

    with pytest.raises(WorkbookError, match=r"cannot be opened: there is no such file\. Did you mean 'rows\.xlsx'\?"):
        read(file.with_name("rwos.xlsx"))


def test_a_zip_file_that_is_no_workbook_is_told(tmp_path: Path) -> None:
    """A .docx or .zip renamed is refused."""
    file = tmp_path / "rows.xlsx"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")

    with pytest.raises(WorkbookError, match=r"a zip file but not an \.xlsx workbook"):
        read(file)


MEASURE = """
import resource, sys
from pathlib import Path
from importer.workbook import read
resource.setrlimit(resource.RLIMIT_AS, (4 * 10**9, 4 * 10**9))
sheet = read(Path(sys.argv[1]))
print(len(sheet.rows), sheet.rows[-1].number, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize(("cell", "rows"), [("XFD1048576", (1, 2)), ("XFD3", (1, 2)), ("A1048576", (1048575, 1048576))])
def test_a_lost_cell_far_away_costs_neither_time_nor_memory(
    make_workbook: Any, cell: str, rows: tuple[int, int]
) -> None:
    """A space that somebody typed in the last cell of the sheet does not kill the process."""
    file = make_workbook([["No", "B"], ["1", "x"]])
    number = re.sub("[A-Z]", "", cell)
    with_rows(file, f'<row r="{number}"><c r="{cell}" t="inlineStr"><is><t>x</t></is></c></row>')

    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-500:]
    count, last, megabytes = map(int, done.stdout.split())
    assert (count, last) == rows
    assert megabytes < 1000


def test_a_workbook_damaged_at_any_byte_is_read_or_told(make_workbook: Any) -> None:
    """A byte turned over anywhere in the file, its packed parts too, never looks like a bug of the program."""
    file = make_workbook([["Name", "Amount"], *([f"Kunde {number}", number] for number in range(40))])
    whole = file.read_bytes()
    told = 0
    for spot in range(0, len(whole), 23):
        file.write_bytes(whole[:spot] + bytes([whole[spot] ^ 0xFF]) + whole[spot + 1 :])
        try:
            read(file)
        except WorkbookError:
            told += 1

    assert told > 10


@pytest.mark.parametrize(("spot", "value"), [(8, 0x63), (6, 0x01)], ids=["packed in an unknown way", "encrypted"])
def test_a_part_that_cannot_be_unpacked_is_told(make_workbook: Any, spot: int, value: int) -> None:
    """A part under a password or packed by other means is a damaged workbook to its user."""
    file = make_workbook([["Name"], ["Kunde"]])
    raw = bytearray(file.read_bytes())
    for magic, offset in ((b"PK\x01\x02", spot + 2), (b"PK\x03\x04", spot)):
        start = raw.find(magic)
        while start >= 0:
            raw[start + offset] |= value
            start = raw.find(magic, start + 4)
    file.write_bytes(raw)

    with pytest.raises(WorkbookError, match="damaged or incomplete"):
        read(file)
