"""The XML of an .ods workbook is read as OpenDocument says, with its numbers and dates as they stand there."""

import zipfile
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from importer.model import Fault
from importer.workbook import Sheet, open_book, read

NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{path}:1.0"'
    for name, path in {
        "office": "office",
        "table": "table",
        "text": "text",
        "style": "style",
        "number": "datastyle",
        "draw": "drawing",
    }.items()
)
CALC = 'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
STYLES = """
<number:number-style style:name="N1"><number:number number:min-integer-digits="4" number:decimal-places="0"/>
</number:number-style>
<number:date-style style:name="N2"><number:day number:style="long"/><number:text>.</number:text>
<number:month number:style="long"/><number:text>.</number:text><number:year number:style="long"/></number:date-style>
<number:date-style style:name="N3"><number:day/><number:text> </number:text><number:hours number:style="long"/>
<number:text>:</number:text><number:minutes number:style="long"/></number:date-style>
<number:time-style style:name="N4" number:truncate-on-overflow="false"><number:hours/><number:text>:</number:text>
<number:minutes number:style="long"/></number:time-style>
<number:currency-style style:name="N5P0"><number:currency-symbol>kr</number:currency-symbol>
<number:number number:min-integer-digits="1" number:decimal-places="2" number:grouping="true"/></number:currency-style>
<number:currency-style style:name="N5"><number:text>-</number:text><number:number number:min-integer-digits="1"/>
<style:map style:condition="value()&gt;=0" style:apply-style-name="N5P0"/></number:currency-style>
<style:style style:name="zeros" style:family="table-cell" style:data-style-name="N1"/>
<style:style style:name="child" style:family="table-cell" style:parent-style-name="zeros"/>
<style:style style:name="day" style:family="table-cell" style:data-style-name="N2"/>
<style:style style:name="moment" style:family="table-cell" style:data-style-name="N3"/>
<style:style style:name="long" style:family="table-cell" style:data-style-name="N4"/>
<style:style style:name="money" style:family="table-cell" style:data-style-name="N5"/>
<number:number-style style:name="N0"><number:number number:min-integer-digits="1"/></number:number-style>
<style:style style:name="plain" style:family="table-cell" style:data-style-name="N0"/>
<style:style style:name="off" style:family="table"><style:table-properties table:display="false"/></style:style>
"""
HEADER = "<table:table-row>{}</table:table-row>".format(
    "".join(f'<table:table-cell office:value-type="string"><text:p>{name}</text:p></table:table-cell>' for name in "AB")
)


def pack(file: Path, content: str, **parts: str) -> Path:
    """Pack the XML of an .ods workbook."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return file


def document(sheets: str, styles: str = STYLES) -> str:
    """Write the content of a workbook."""
    return (
        f"<office:document-content {NAMESPACES} {CALC}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{sheets}</office:spreadsheet></office:body></office:document-content>"
    )


def sheet_of(folder: Path, rows: str, columns: str = "", name: str = "Rader") -> Sheet:
    """Read a sheet with the headers A and B above some rows."""
    table = f'<table:table table:name="{name}">{columns}{HEADER}{rows}</table:table>'
    return read(pack(folder / "rader.ods", document(table)))


def row(*cells: str, **given: str) -> str:
    """Write a row whose first cell holds 1."""
    attributes = "".join(f' table:{name.replace("_", "-")}="{value}"' for name, value in given.items())
    return f"<table:table-row{attributes}>{string('1')}{''.join(cells)}</table:table-row>"


def string(text: str) -> str:
    """Write a cell that holds a text."""
    return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'


def number(value: str, style: str = "", kind: str = "float", shown: str = "x") -> str:
    """Write a cell that holds a number."""
    styled = f' table:style-name="{style}"' if style else ""
    return (
        f'<table:table-cell{styled} office:value-type="{kind}" office:value="{value}"><text:p>{shown}</text:p>'
        "</table:table-cell>"
    )


def told(cell: Any) -> Any:
    """Return a cell, a fault as its code and text."""
    return (cell.code, cell.shown) if isinstance(cell, Fault) else cell


def found(sheet: Sheet, column: int = 1) -> list[Any]:
    """Return the cells of a column."""
    return [told(row.cells[column]) if column < len(row.cells) else None for row in sheet.rows]


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234.5", Decimal("1234.5")),
        ("100", Decimal(100)),
        ("1E2", Decimal(100)),
        ("-0.00", Decimal(0)),
        ("0.30000000000000004", Decimal("0.3")),
        ("0.1000000000000000055511151231257827", ("too_many_digits", "0.1000000000000000055511151231257827")),
        ("123456789012345", Decimal(123456789012345)),
        ("5000000000000001", Decimal(5000000000000001)),
        ("1.23456789012346E18", ("too_many_digits", "1234567890123460096")),
        ("1234567890123456.78", ("too_many_digits", "1234567890123456.78")),
        ("12345678901234567890", ("too_many_digits", "12345678901234567168")),
        ("99999999999.99", Decimal("99999999999.99")),
        ("NaN", ("not_finite", "NaN")),
        ("1,5", ("not_finite", "1,5")),
    ],
)
def test_c3_a_number_is_the_decimal_that_stands_in_the_file(tmp_path: Path, text: str, value: Any) -> None:
    """C2, C3: 15 digits are exact as they stand; noise of binary arithmetic is dropped, lost digits are a problem."""
    cell = found(sheet_of(tmp_path, row(number(text))))[0]

    assert (cell, type(cell)) == (value, type(value))


def cell(attributes: str, content: str = "") -> str:
    """Write a cell from its attributes and content."""
    return f"<table:table-cell {attributes}>{content}</table:table-cell>"


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        (number("0.25", kind="percentage"), Decimal("0.25")),
        (number("12.5", kind="currency"), Decimal("12.5")),
        (cell('office:value-type="boolean" office:boolean-value="true"', "<text:p>SANN</text:p>"), True),
        (cell('office:value-type="boolean" office:boolean-value="false"'), False),
        (cell('table:formula="of:=TRUE()" office:value-type="float" office:value="1"', "<text:p>SANN</text:p>"), True),
        (cell('table:formula="of:=1=2" office:value-type="float" office:value="0"', "<text:p>USANN</text:p>"), False),
        (cell('table:formula="of:=1" office:value-type="float" office:value="1"', "<text:p>1,0</text:p>"), Decimal(1)),
        (cell('office:value-type="float" office:value="1"', "<text:p>ja</text:p>"), Decimal(1)),
        (cell('office:value-type="date" office:date-value="2025-01-27"'), date(2025, 1, 27)),
        (
            cell('office:value-type="date" office:date-value="2025-01-27T23:59:59.999999999" table:style-name="day"'),
            datetime.fromisoformat("2025-01-27T23:59:59.999999"),
        ),
        (
            cell('office:value-type="date" office:date-value="2025-01-27" table:style-name="moment"'),
            datetime.fromisoformat("2025-01-27T00:00:00"),
        ),
        (cell('office:value-type="date" office:date-value="1899-12-31"'), ("date_before_1900", "1899-12-31")),
        (cell('office:value-type="date" office:date-value="31.12.2025"'), ("error_cell", "31.12.2025")),
        (cell('office:value-type="time" office:time-value="PT10H30M00S"'), time(10, 30)),
        (cell('office:value-type="time" office:time-value="PT10H30M00S" table:style-name="long"'), "duration"),
        (cell('office:value-type="time" office:time-value="PT30H00M00S"'), "duration"),
        (cell('office:value-type="time" office:time-value="kl. 10"'), ("error_cell", "kl. 10")),
        (
            cell(
                'office:value-type="string" office:string-value="" calcext:value-type="error"', "<text:p>#N/A</text:p>"
            ),
            ("error_cell", "#N/A"),
        ),
        (
            cell(
                'calcext:value-type="error" office:value-type="string" office:string-value=""',
                "<text:p>Err:502</text:p>",
            ),
            ("error_cell", "Err:502"),
        ),
        (
            cell('table:formula="of:=1/0" office:value-type="float" office:value="0"', "<text:p>#DIV/0!</text:p>"),
            ("error_cell", "#DIV/0!"),
        ),
        (cell('office:value-type="string"', "<text:p>#N/A</text:p>"), "#N/A"),
        (cell('table:formula="of:=1+1"'), ("not_calculated", "")),
        (cell('table:formula="of:=1+1" office:value-type="float"'), ("not_calculated", "")),
        (cell('table:formula="of:=&quot;&quot;" office:value-type="string" office:string-value=""'), None),
        (cell('table:formula="of:=&quot;&quot;"', "<text:p/>"), None),
        (
            cell(
                'table:formula="of:=TRUE()" office:value-type="float" office:value="1" table:style-name="plain"',
                "<text:p>SANN</text:p>",
            ),
            True,
        ),
        (cell('office:value-type="string" office:string-value="0101"', "<text:p>shown</text:p>"), "0101"),
        (cell("", "<text:p>uten type</text:p>"), "uten type"),
        (cell('table:style-name="day"'), None),
    ],
)
def test_c16_c17_a_cell_holds_what_its_type_says(tmp_path: Path, xml: str, value: Any) -> None:
    """C16, C17: numbers, truths, dates and times by their types; errors and uncalculated formulas are problems."""
    result = (found(sheet_of(tmp_path, row(xml))) or [None])[0]
    result = result[0] if value == "duration" else result

    assert (result, type(result)) == (value, type(value))


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<text:p>a</text:p><text:p/><text:p>b</text:p>", "a\n\nb"),
        ('<text:p>a<text:s text:c="3"/>b<text:s/>c</text:p>', "a   b c"),
        ("<text:p>a<text:tab/>b<text:line-break/>c</text:p>", "a\tb\nc"),
        ("<text:p>a<text:span>b<text:a>c</text:a></text:span>d</text:p>", "abcd"),
        ("<text:p>\n   a \n  b<text:span> c</text:span> </text:p>", "a b c"),
        ("<text:p>a <text:span> b</text:span></text:p>", "a b"),
        ("<office:annotation><text:p>kommentar</text:p></office:annotation><text:p>a</text:p>", "a"),
        ("<text:p>a<office:annotation><text:p>kommentar</text:p></office:annotation>b</text:p>", "ab"),
        ("<draw:frame><text:p>bilde</text:p></draw:frame><text:p>a</text:p>", "a"),
        (
            "<text:p><text:ruby><text:ruby-base>東京</text:ruby-base><text:ruby-text>x</text:ruby-text></text:ruby></text:p>",
            "東京",
        ),
        ('<text:p>&lt;a&gt; &amp; "b"</text:p>', '<a> & "b"'),
        ("<text:p>\u00a0A\u030ase\u200b</text:p>", "Åse"),
    ],
)
def test_c27_a_text_is_what_is_seen(tmp_path: Path, xml: str, text: str) -> None:
    """C27: paragraphs are lines, spaces and tabs are written out, comments and drawings are no text."""
    assert found(sheet_of(tmp_path, row(cell('office:value-type="string"', xml)))) == [text]


def test_a_number_as_it_stands_has_the_format_general(tmp_path: Path) -> None:
    """LibreOffice names a style for it: 123456789012 is not sure to be seen so, as in any other file."""
    assert sheet_of(tmp_path, row(number("42", "plain"))).rows[0].formats == {}


@pytest.mark.parametrize(
    ("style", "form"),
    [("zeros", "0000"), ("child", "0000"), ("day", "dd.mm.yyyy"), ("moment", "d hh:mm"), ("long", "[h]:mm")],
)
def test_number_formats_are_those_of_excel(tmp_path: Path, style: str, form: str) -> None:
    """The styles of OpenDocument are written as Excel writes formats, by which `as: displayed` goes."""
    assert sheet_of(tmp_path, row(number("42", style))).rows[0].formats == {1: form}


def test_a_format_with_conditions_shows_its_first_part_for_positive_numbers(tmp_path: Path) -> None:
    """What holds for negative numbers is the second part, as in Excel."""
    assert sheet_of(tmp_path, row(number("42", "money"))).rows[0].formats == {1: '"kr"#,##0.00;-0'}


def test_a_cell_without_a_style_has_that_of_its_row_or_column(tmp_path: Path) -> None:
    """Programs write the format of a column once."""
    columns = (
        '<table:table-column/><table:table-column table:default-cell-style-name="zeros" '
        'table:number-columns-repeated="2"/><table:table-column/>'
    )
    rows = row(number("1")) + row(number("2"), default_cell_style_name="day")
    sheet = sheet_of(tmp_path, rows, columns)

    assert [row.formats for row in sheet.rows] == [{1: "0000"}, {1: "dd.mm.yyyy"}]


# -- rows and sheets ---------------------------------------------------------------------------------------------------


def test_repeated_rows_and_cells_stand_as_often_as_they_say(tmp_path: Path) -> None:
    """Equal neighbours are written once with a number; blank ones keep their place."""
    rows = (
        '<table:table-row table:number-rows-repeated="2"><table:table-cell table:number-columns-repeated="2" '
        'office:value-type="float" office:value="7"/></table:table-row>'
        '<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>' + row(string("x"))
    )
    sheet = sheet_of(tmp_path, rows)

    assert [(row.number, *row.cells) for row in sheet.rows if not row.blank] == [
        (2, Decimal(7), Decimal(7)),
        (3, Decimal(7), Decimal(7)),
        (7, "1", "x"),
    ]


def test_c31_rows_hidden_filtered_or_folded_are_found(tmp_path: Path) -> None:
    """C31: whichever way a row is out of sight, it is marked; those behind the last row are nobody's."""
    rows = (
        row(string("a"))
        + row(string("b"), visibility="collapse")
        + row(string("c"), visibility="filter")
        + '<table:table-row-group table:display="false">'
        + row(string("d"), number_rows_repeated="2")
        + "</table:table-row-group>"
        + f"<table:table-header-rows>{row(string('e'))}</table:table-header-rows>"
        + '<table:table-row table:number-rows-repeated="1048569" table:visibility="collapse"><table:table-cell/>'
        "</table:table-row>"
    )
    sheet = sheet_of(tmp_path, rows)

    assert found(sheet) == ["a", "b", "c", "d", "d", "e"]
    assert [row.number for row in sheet.rows if row.hidden] == [3, 4, 5, 6]


def test_c30_merged_cells_are_told_and_what_they_cover_is_not_read(tmp_path: Path) -> None:
    """C30: the text under a merged area is seen by nobody."""
    rows = row(cell('table:number-rows-spanned="2" office:value-type="string"', "<text:p>x</text:p>")) + row(
        '<table:covered-table-cell office:value-type="string"><text:p>under</text:p></table:covered-table-cell>'
    )
    sheet = sheet_of(tmp_path, rows)

    assert (found(sheet), sheet.merged) == (["x", None], ("B2:B3",))


def test_c32_hidden_sheets_and_what_only_looks_like_a_sheet_are_not_taken(tmp_path: Path) -> None:
    """C32: the record of changes, linked data and tables within cells hold rows that are none of the sheet."""
    inner = f'<table:table table:name="Indre">{HEADER}{row(string("feil"))}</table:table>'
    sheets = (
        f"<table:tracked-changes><table:cell-content-change>{inner}</table:cell-content-change></table:tracked-changes>"
        f'<table:table table:name="Skjult" table:style-name="off">{HEADER}</table:table>'
        f'<table:table table:name="Rader">{HEADER}{row(cell("", "<text:p>x</text:p>" + inner))}</table:table>'
        f"<table:dde-links><table:dde-link>{inner}</table:dde-link></table:dde-links>"
    )
    file = pack(tmp_path / "rader.ods", document(sheets))

    with open_book(file) as book:
        assert [(title.text, title.visible) for title in book.titles] == [("Skjult", False), ("Rader", True)]
    assert found(read(file)) == ["x"]


def test_styles_of_the_other_part_are_known(tmp_path: Path) -> None:
    """LibreOffice keeps some number formats in styles.xml."""
    content = document(f'<table:table table:name="Rader">{HEADER}{row(number("42", "child"))}</table:table>', "")
    other = f"<office:document-styles {NAMESPACES}><office:styles>{STYLES}</office:styles></office:document-styles>"

    assert read(pack(tmp_path / "rader.ods", content, styles_xml=other)).rows[0].formats == {1: "0000"}
