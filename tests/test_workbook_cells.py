"""A cell is read as Excel shows it, exactly; what cannot be known is a fault and never a blank."""

import re
import zipfile
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from sheet_xml import column, rewrite, with_rows

from importer.errors import WorkbookError
from importer.workbook import read

STRINGS = "xl/sharedStrings.xml"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("<c r='B2'><f>1+1</f></c>", "not_calculated"),
        ("<c r='B2'><f>1+1</f><v></v></c>", "not_calculated"),
        ("<c r='B2'><f t='shared' si='0'/></c>", "not_calculated"),
        ("<c><f>1+1</f></c>", "not_calculated"),
        ("<c r='B2'><f>1+1</f><v>2</v></c>", Decimal(2)),
        ("<c r='B2' t='str'><f>\"\"</f><v></v></c>", None),
        ("<c r='B2' t='str'><f>\"\"</f><v/></c>", None),
        ("<c r='B2' t='str'><f>\"\"</f></c>", "not_calculated"),
        ("<c r='B2' t='str'><f>A1</f><v>0101</v></c>", "0101"),
        ("<c r='B2' t='b'><f>1=1</f><v>1</v></c>", True),
        ("<c r='B2' t='e'><f>1/0</f><v>#DIV/0!</v></c>", "error_cell"),
        ("<c r='B2' t='e'><v>#N/A</v></c>", "error_cell"),
        ("<c r='B2' t='e'><v>#SPILL!</v></c>", "error_cell"),
        ("<c r='B2' t='e'><v>#FIELD!</v></c>", "error_cell"),
        ("<c r='B2' t='inlineStr'><is><t>#N/A</t></is></c>", "#N/A"),
        ("<c r='B2' t='inlineStr'><is><t>0101</t></is></c>", "0101"),
        ("<c r='B2' t='inlineStr'><is><r><t>01</t></r><r><t>01</t></r></is></c>", "0101"),
        ("<c r='B2' t='inlineStr'><is><t xml:space='preserve'> a b </t></is></c>", "a b"),
        ("<c r='B2' t='inlineStr'><is><t>a_x000D__x000A_b</t></is></c>", "a\r\nb"),
        ("<c r='B2' t='inlineStr'><is><t>a_x005F_x0041_</t></is></c>", "a_x0041_"),
        ("<c r='B2' t='inlineStr'><is><t>=1+1</t></is></c>", "=1+1"),
        ("<c r='B2' t='inlineStr'><is><t/></is></c>", None),
        ("<c r='B2' t='b'><v>0</v></c>", False),
        ("<c r='B2'><v>1</v></c>", Decimal(1)),
        ("<c r='B2'><v>0.30000000000000004</v></c>", Decimal("0.3")),
        ("<c r='B2'><v>1.2345678901234567E+18</v></c>", "too_many_digits"),
        ("<c r='B2'><v>12345678901234567890</v></c>", "too_many_digits"),
        ("<c r='B2'><v>1234567890123456.78</v></c>", "too_many_digits"),
        ("<c r='B2'><v>12345678901234.567</v></c>", "too_many_digits"),
        ("<c r='B2'><v>12345678901234.56</v></c>", Decimal("12345678901234.56")),
        ("<c r='B2' t='e'/>", "error_cell"),
        ("<c r='B2'><v>500.0</v></c>", Decimal(500)),
        ("<c r='B2'><v>5.000000000000001E+15</v></c>", Decimal(5000000000000001)),
        ("<c r='B2' t='d'><v>2025-01-27</v></c>", date(2025, 1, 27)),
        ("<c r='B2' s='0'/>", None),
    ],
)
def test_a_cell_holds_what_excel_shows(make_workbook: Any, cell: str, expected: Any) -> None:
    """Formulas by their last result, errors and uncalculated formulas as faults, text as text, numbers exactly."""
    file = make_workbook([["No", "B"]])
    with_rows(file, f"<row r='2'><c r='A2' t='inlineStr'><is><t>1</t></is></c>{cell}</row>")
    found = column(read(file), "B")[2]

    assert (found, type(found), str(found)) == (expected, type(expected), str(expected))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("<c r='B2'><v>NaN</v></c>", "cell B2: .*'NaN'"),
        ("<c r='B2'><v>1,5</v></c>", "cell B2: .*'1,5'"),
        ("<c r='B2' t='b'><v>true</v></c>", "cell B2: .*'true'"),
        ("<c r='B2' t='s'><v>7</v></c>", "cell B2: "),
        ("<c r='B2' s='99'><v>7</v></c>", "cell B2: "),
        ("<c><v>NaN</v></c>", "a cell in row 2: .*'NaN'"),
    ],
)
def test_a_cell_that_cannot_be_read_is_told_by_its_address(make_workbook: Any, cell: str, words: str) -> None:
    """Whoever is to mend a workbook with a hundred thousand cells is told which."""
    file = make_workbook([["No", "B"]])
    with_rows(file, f"<row r='2'><c r='A2'><v>1</v></c>{cell}</row>")

    with pytest.raises(WorkbookError, match=rf"is damaged or incomplete \({words}"):
        read(file)


def test_a_formula_nobody_calculated_is_never_a_blank(make_workbook: Any) -> None:
    """A workbook that a program wrote and Excel never opened holds no results, and says so at each cell."""

    def formulas(book: openpyxl.Workbook) -> None:
        book.worksheets[0]["B2"] = "=1+1"
        book.worksheets[0]["B3"] = '=""'

    sheet = read(make_workbook([["No", "B"], ["1", None], ["2", None], ["3", None]], prepare=formulas))

    assert column(sheet, "B") == {2: "not_calculated", 3: "not_calculated", 4: None}


@pytest.mark.parametrize(
    ("result", "expected"),
    [("<v>0</v>", "not_calculated"), ("<v>2</v>", Decimal(2)), ("<v>0.5</v>", Decimal("0.5"))],
)
def test_a_zero_that_waits_to_be_calculated_is_not_believed(make_workbook: Any, result: str, expected: Any) -> None:
    """XlsxWriter writes 0 for each result and has Excel calculate on opening; once saved by Excel, 0 is a result."""
    file = make_workbook([["No", "B", "C"]])
    with_rows(file, f"<row r='2'><c r='A2'><v>0</v></c><c r='B2'><f>1+1</f>{result}</c></row>")
    sheet = read(file)

    assert column(sheet, "B") == {2: expected}
    assert column(sheet, "No") == {2: Decimal(0)}
    rewrite(file, "xl/workbook.xml", lambda text: text.replace(' fullCalcOnLoad="1"', ""))
    assert column(read(file), "B") == {2: Decimal(0) if result == "<v>0</v>" else expected}


@pytest.mark.parametrize(
    ("cell", "calculated"),
    [
        ("<c r='B2' t='n'><f>A2*100</f><v>0.0</v></c>", Decimal(0)),
        ("<c r='B2'><f>A2*100</f><v>0E0</v></c>", Decimal(0)),
        ("<c r='B2'><f>A2*100</f><v>-0.00</v></c>", Decimal(0)),
        ("<c r='B2' t='str'><f>A2*100</f><v>0</v></c>", "0"),
    ],
)
def test_a_zero_that_waits_is_a_zero_however_it_is_written(make_workbook: Any, cell: str, calculated: Any) -> None:
    """Apache POI streams 0.0 for each result, PhpSpreadsheet a text of 0; nothing but Excel's own 0 is an amount."""
    file = make_workbook([["No", "B"]])
    with_rows(file, f"<row r='2'><c r='A2'><v>3.0</v></c>{cell}</row><row r='3'><c r='A3'><v>0.0</v></c></row>")

    assert column(read(file), "B") == {2: "not_calculated", 3: None}
    assert column(read(file), "No") == {2: Decimal(3), 3: Decimal(0)}
    rewrite(file, "xl/workbook.xml", lambda text: text.replace(' fullCalcOnLoad="1"', ""))
    assert column(read(file), "B") == {2: calculated, 3: None}


def test_what_no_formula_of_an_area_calculated_is_never_a_blank(make_workbook: Any) -> None:
    """A formula with several results is written in the first cell of its area; the others wait for theirs as well."""
    file = make_workbook([["No", "B"]])
    with_rows(
        file,
        '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><f t="array" ref="B2:B4">A2:A4</f><v>7</v></c></row>'
        '<row r="3"><c r="A3"/><c r="B3"><v>0</v></c></row><row r="4"><c r="B4"/></row><row r="5"><c r="B5"/></row>'
        '<row r="6"><c r="B6"><v>0</v></c></row>',
    )

    assert column(read(file), "B") == {2: Decimal(7), 3: "not_calculated", 4: "not_calculated", 5: None, 6: Decimal(0)}


def shared_texts(file: Path, *items: str) -> Path:
    """Give a workbook the table of shared texts that Excel writes."""
    kind, main = "relationships/sharedStrings", "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = f'<Override PartName="/{STRINGS}" ContentType="{types}"/></Types>'
    link = f'<Relationship Id="rId99" Type="{office}/{kind}" Target="sharedStrings.xml"/></Relationships>'
    rewrite(file, "[Content_Types].xml", lambda text: text.replace("</Types>", part))
    rewrite(file, "xl/_rels/workbook.xml.rels", lambda text: text.replace("</Relationships>", link))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(STRINGS, f'<sst xmlns="{main}">{"".join(f"<si>{item}</si>" for item in items)}</sst>')
    return file


def test_a_shared_text_is_the_text_that_is_seen(make_workbook: Any) -> None:
    """Escaped characters are undone, and what only tells how to say a text is not part of it."""
    texts = ("<t>0101</t>", "<t>a_x000D_b</t>", "<r><t>Bl</t></r><r><rPr><b/></rPr><t>å</t></r>", "<t>=1+1</t>", "<t/>")
    file = shared_texts(make_workbook([["No"]]), *texts, "<t>東京</t><rPh sb='0' eb='2'><t>x</t></rPh>", "<t>#N/A</t>")
    with_rows(file, "".join(f"<row r='{n + 2}'><c r='A{n + 2}' t='s'><v>{n}</v></c></row>" for n in range(7)))

    assert list(column(read(file), "No").values()) == ["0101", "a\rb", "Blå", "=1+1", None, "東京", "#N/A"]


def test_what_the_reading_library_grumbles_about_reaches_nobody(make_workbook: Any) -> None:
    """A workbook of another program, without default styles, is read without a warning on the screen."""
    file = make_workbook([["No"], ["1"]])
    rewrite(file, "xl/styles.xml", lambda text: re.sub(r"<cellStyles.*?</cellStyles>", "", text))

    assert column(read(file), "No") == {2: "1"}


def test_a_date_is_the_sheets_own_day(make_workbook: Any) -> None:
    """A date is a date, with its time only where the format shows one; a time alone is a time."""
    moment = datetime.fromisoformat("2025-01-27T23:59:59")
    values = [moment, moment, datetime.fromisoformat("2025-01-27T00:00:00"), time(10, 30), 45684]
    formats = {"B2": "dd.mm.yyyy hh:mm:ss", "B3": "dd.mm.yyyy", "B4": "dd.mm.yyyy", "B5": "hh:mm", "B6": "dd.mm.yyyy"}
    file = make_workbook([["No", "B"], *([str(spot), value] for spot, value in enumerate(values))], formats=formats)

    assert list(column(read(file), "B").values()) == [
        moment,
        moment,
        date(2025, 1, 27),
        time(10, 30),
        date(2025, 1, 27),
    ]


def test_a_workbook_that_counts_from_1904_gives_the_same_days(make_workbook: Any) -> None:
    """The serial number 45000 is another day there, and a date typed in one stays that date."""

    def epoch(book: openpyxl.Workbook) -> None:
        book.epoch = CALENDAR_MAC_1904

    rows = [["No", "B"], ["1", 45000], ["2", date(2025, 1, 27)]]
    file = make_workbook(rows, formats={"B2": "dd.mm.yyyy"}, prepare=epoch)

    assert column(read(file), "B") == {2: date(2027, 3, 16), 3: date(2025, 1, 27)}
    assert column(read(make_workbook(rows, formats={"B2": "dd.mm.yyyy"})), "B")[2] == date(2023, 3, 15)


@pytest.mark.parametrize(
    ("serial", "form", "expected"),
    [
        (60, "dd.mm.yyyy", "date_before_1900"),
        (59, "dd.mm.yyyy", "date_before_1900"),
        (61, "dd.mm.yyyy", date(1900, 3, 1)),
        (1.25, "[h]:mm", "duration"),
        (-5, "dd.mm.yyyy", "date_before_1900"),
        (99999999, "dd.mm.yyyy", "error_cell"),
    ],
)
def test_a_day_that_never_was_is_a_fault(make_workbook: Any, serial: float, form: str, expected: Any) -> None:
    """29 February 1900, days before it, durations and serial numbers outside the calendar are nobody's date."""
    assert column(read(make_workbook([["No", "B"], ["1", serial]], formats={"B2": form})), "B") == {2: expected}
