"""A sheet that is read quickly gives the very rows, or the very error, that an XML parser gives."""

import gc
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from both_ways import Ways, ways
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_sheets import HEADS, MAIN, TAILS, sheets
from sheet_xml import SHEET, column, rewrite
from test_workbook_cells import test_a_cell_holds_what_excel_shows as cell_cases

from importer.workbook import read
from importer.workbook.xlsx_parts import OddError
from importer.workbook.xlsx_quick import QuickReading
from importer.workbook.xlsx_texts import parsed_texts, shared_texts

HERE = Path(__file__).parent
SAMPLES = sorted((HERE.parent / "samples").rglob("*.xlsx"))
BASE = HERE / "files" / "xlsxwriter.xlsx"
CELLS = [case[0] for case in cell_cases.pytestmark[0].args[1]]


@pytest.fixture(scope="module", name="either")
def _either() -> Iterator[Ways]:
    """Give a workbook with texts and styles, into which each test puts its own sheet."""
    with ways(BASE) as found:
        yield found


@pytest.fixture(scope="module")
def doubtful() -> Iterator[Ways]:
    """Give the same, where a formula's result of 0 is not believed."""
    with ways(BASE, zeros_doubtful=True) as found:
        yield found


def sheet(rows: str, head: str = HEADS[0], tail: str = TAILS[1]) -> bytes:
    return f"{head}{rows}{tail}".encode()


def alike(count: int, cell: str, start: int = 1) -> str:
    """Return so many rows, each with a number and a cell in which `@` is the row's number."""
    row = '<row r="@"><c r="A@"><v>@</v></c>' + cell + "</row>"
    return "".join(row.replace("@", str(number)) for number in range(start, start + count))


# -- the same in both ways ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parsed"),
    [("exceljs.xlsx", 0), ("libreoffice.xlsx", 0), ("sheetjs.xlsx", 1), ("xlsxwriter.xlsx", 0)],
)
def test_what_programs_write_is_read_quickly_and_the_same(name: str, parsed: int) -> None:
    """The workbooks of four programs need no XML parser for their rows, but for one row with a text in two fonts."""
    with ways(HERE / "files" / name) as file:
        assert file.parsed(file.part) == parsed
        for chunk in (1, 50, 1 << 20):
            file.same(file.part, chunk)


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_each_workbook_of_the_samples_is_read_quickly_and_the_same(file: Path) -> None:
    """No row of a sample needs an XML parser."""
    with ways(file) as book:
        assert book.parsed(book.part) == 0
        book.same(book.part)


@pytest.mark.parametrize("cell", CELLS)
def test_each_case_of_faithful_reading_is_the_same_among_rows_that_are_read_quickly(either: Ways, cell: str) -> None:
    """A formula without a result, a long number or an error between common rows is what it is by itself."""
    odd = "<row r='41'><c r='A41'/>" + cell.replace("'B2'", "'B41'") + "</row>"
    common = '<c r="B@" t="s"><v>3</v></c>'
    found = either.same(sheet(alike(40, common) + odd + alike(40, common, start=42)))

    assert found[1] == set(), found
    assert "(81, [" in found[0]
    assert either.parsed(sheet(alike(40, common) + odd + alike(40, common, start=42))) == 1


@settings(max_examples=800, deadline=None)
@given(xml=sheets(), chunk=st.sampled_from([1, 20, 300, 1 << 20]), waiting=st.booleans())
def test_any_sheet_gives_the_same_rows_or_the_same_error(
    either: Ways, doubtful: Ways, xml: str, chunk: int, waiting: bool
) -> None:
    """Whatever a sheet holds, reading it quickly changes neither a value nor a word."""
    (doubtful if waiting else either).same(xml.encode("utf-8", "surrogatepass"), chunk)


def test_a_byte_that_changed_gives_the_same_rows_or_the_same_error(either: Ways) -> None:
    """A part that was changed and packed again whole is read, or refused, in the same words."""
    cells = '<c r="B@" s="2"><v>46296</v></c><c r="C@" t="inlineStr"><is><t>a &amp; b</t></is></c><c r="D@" s="1"/>'
    rows = alike(3, cells + '<c r="E@" t="str"><f>A@&amp;"x"</f><v>x</v></c>').replace('r="3"', 'r="3" hidden="1"')
    whole = sheet(rows)
    refused = 0
    for spot in range(len(whole)):
        for byte in (whole[spot] ^ 1, whole[spot] ^ 0x10, 0x3C, 0xC3):
            found = either.same(whole[:spot] + bytes([byte]) + whole[spot + 1 :])
            refused += isinstance(found[1], type)

    assert 1_000 < refused < 4 * len(whole) - 100


@pytest.mark.parametrize("end", range(1, 12))
def test_a_sheet_that_breaks_off_gives_the_same_error(either: Ways, end: int) -> None:
    """No row of a sheet without its end is taken for the last."""
    whole = sheet(alike(40, '<c r="B@" t="s"><v>3</v></c>'))
    found = either.same(whole[: len(whole) * end // 12])

    assert isinstance(found[1], type)


def test_a_zero_that_waits_to_be_calculated_is_not_believed_in_any_row(doubtful: Ways) -> None:
    """The result 0 of a formula is told from a 0 that was typed, however many rows hold both."""
    xml = sheet(alike(40, '<c r="B@"><f>1-1</f><v>0</v></c><c r="C@"><v>0</v></c>'))

    assert doubtful.parsed(xml) == 0
    assert doubtful.same(xml)[0].count("not_calculated") == 40


def test_what_turns_out_odd_at_the_end_changes_no_row(either: Ways) -> None:
    """The walk through the whole sheet begins with what it knew at the beginning: no row, no area of a formula."""
    row = '<row hidden="1"><c><v>1</v></c><c s="1"/></row>'
    area = '<row r="4"><c r="A4"><f t="array" ref="A2:B9">X</f><v>1</v></c></row>'
    for rows, count in ((row * 3, 4), (row * 3 + area, 5)):
        xml = sheet(rows, tail=f"</sheetData>{row}</worksheet>")

        assert either.parsed(xml) is None
        assert f"({count}, [" in either.same(xml)[0]


# -- what is read quickly ----------------------------------------------------------------------------------------------

EXCEL = (
    '<row r="@" spans="1:6" s="3" customFormat="1" ht="15.75" thickBot="1" x14ac:dyDescent="0.25"><c r="A@" s="4" '
    't="s"><v>12</v></c><c r="B@" s="2"><v>45684</v></c><c r="C@" s="1"><f t="shared" si="0"/><v>2469.5</v></c><c '
    'r="D@" s="1"/><c r="F@" t="str"><f>IF(A@&gt;1,"x","")</f><v></v></c></row>'
)
GOOGLE = '<row r="@"><c r="A@" s="1" t="s"><v>3</v></c><c r="B@" s="2"><v>45684.0</v></c><c r="C@" s="1"/></row>'
CLOSED_XML = (
    '<x:row r="@" spans="1:2"><x:c r="A@" s="0" t="s"><x:v>3</x:v></x:c><x:c r="B@" t="b"><x:v>1</x:v></x:c></x:row>'
)
POI = '<row r="@"><c r="A@" t="n" s="1"><v>19.0</v></c><c r="B@" t="inlineStr"><is><t>Ål &amp; co</t></is></c></row>\n'
OPENPYXL = '<row r="@"><c r="A@" s="1" /><c r="B@"><f>1+1</f><v /></c><c r="C@" t="n"><v>1.5</v></c></row>'


@pytest.mark.parametrize(
    "row", [EXCEL, GOOGLE, CLOSED_XML, POI, OPENPYXL], ids=["Excel", "Google", "ClosedXML", "POI", "own"]
)
def test_rows_as_programs_write_them_need_no_parser(either: Ways, row: str) -> None:
    """Attributes of rows, shared formulas, blanks with a style and a prefix of all names are common."""
    head = HEADS[0]
    tail = TAILS[0]
    if "<x:" in row:
        head, tail = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>', "</x:sheetData></x:worksheet>"
    xml = sheet("".join(row.replace("@", str(number)) for number in range(1, 30)), head, tail)

    assert either.parsed(xml) == 0
    assert "(29, [" in either.same(xml)[0]


def test_rows_of_many_shapes_need_no_parser(either: Ways) -> None:
    """Cells that some rows lack, and cells of several forms in one column, are learned."""
    ways_to_write = ['<c r="{}"><v>1</v></c>', '<c r="{}" t="s"><v>1</v></c>', '<c r="{}" s="2"><v>46000</v></c>', ""]
    rows = ""
    for number in range(1, 600):
        cells = [ways_to_write[number // 4**spot % 4].format(f"{'ABCDE'[spot]}{number}") for spot in range(5)]
        rows += f'<row r="{number}">{"".join(cells)}</row>'

    assert either.parsed(sheet(rows)) == 0
    either.same(sheet(rows))


def test_one_odd_row_costs_no_more_than_itself(either: Ways) -> None:
    """A comment of XML, text in two fonts or a blank between elements leave all other rows to be read quickly."""
    common = '<c r="B@" t="s"><v>3</v></c>'
    for row, parsed in (
        ("<row r='41'><c r='A41' t='inlineStr'><is><r><t>a</t></r><r><t>b</t></r></is></c></row>", 1),
        ('<row r="41"> <c r="A41"><v><![CDATA[7]]></v></c> </row>', 1),
        ("<row><c><v>7</v></c></row><!-- x --><?x y?>", 2),
    ):
        xml = sheet(alike(40, common) + row + alike(40, common, start=42))
        assert either.parsed(xml) == parsed
        either.same(xml)


def test_cells_in_the_area_of_a_formula_are_read_by_the_parser_and_those_below_are_not(either: Ways) -> None:
    """Only where the result of a formula of another cell may be missing, each cell is looked at by itself."""
    array = '<row r="3"><c r="A3"><f t="array" ref="A3:B9">X</f><v>1</v></c><c r="B3"/></row>'
    xml = sheet(alike(2, '<c r="B@"/>') + array + alike(50, '<c r="B@"/>', start=4))

    assert either.parsed(xml) == 8
    assert either.same(xml)[0].count("not_calculated") == 7


def test_cells_that_are_all_written_in_another_way_do_not_fill_the_memory(either: Ways) -> None:
    """Forms are remembered while they are few; a sheet that has thousands is walked through instead."""
    rows = "".join(f'<row r="{n}" ht="{n}"><c r="A{n}" vm="{n}"><v>{n}</v></c></row>' for n in range(1, 5_200))

    assert either.parsed(sheet(rows)) is None
    assert "(5199, [" in either.same(sheet(rows))[0]
    assert either.parsed(sheet(re.sub(' vm="[0-9]+"', "", rows))) == 0


def test_equal_texts_of_a_file_become_the_same_object(either: Ways) -> None:
    """A value that stands in many rows is held once."""
    walk = either.walk()
    xml = sheet(alike(40, '<c r="B@" t="inlineStr"><is><t>blåbær</t></is></c><c r="C@"><v>3396.63</v></c>'))
    found = [cells for _number, cells in QuickReading(walk, io.BytesIO(xml)).rows()]

    assert len({id(cells[1][0]) for cells in found}) == len({id(cells[2][0]) for cells in found}) == 1


# -- texts that cells share --------------------------------------------------------------------------------------------

USUAL_ITEMS = (
    *("<si><t>0101</t></si>", '<si><t xml:space="preserve"> a b </t></si>', "<si><t/></si>", "<si></si>"),
    *("<si><t>a &amp; b&#10;</t></si>", "<si><t>&lt;b&gt;</t></si>", "<si><t>_x005F_x0041_</t></si>\n"),
    "<si><r><t>Bl</t></r><r><rPr><b/></rPr><t>å</t></r></si>",
    "<si><t>東京</t><rPh sb='0' eb='2'><t>x</t></rPh></si>",
)
ODD_ITEMS = (
    *("<si/>", "<si ><t>x</t></si>", "<si><t>a]]>b</t></si>", "<si><t>\r\n</t></si>", "<si><t>\x01</t></si>"),
    *("<!-- </si> -->", "<si><t>&x;</t></si>", "<x><si><t>1</t></si></x>", "<si><si/></si>", "<si><t>1</t></si"),
    *("text", "<?x?>", "<si><t><![CDATA[x]]></t></si>", "<x/>", "</sst>"),
)


def texts_of(xml: bytes, chunk: int) -> Any:
    try:
        return shared_texts(io.BytesIO(xml), chunk)
    except Exception:  # noqa: BLE001 - then openpyxl reads them
        return None


@settings(max_examples=500, deadline=None)
@given(
    items=st.lists(st.sampled_from(USUAL_ITEMS) | st.sampled_from(USUAL_ITEMS + ODD_ITEMS), max_size=8),
    end=st.sampled_from(["</sst>", "</sst>", "</sst>\n", "", "<x/></sst>", "</sst><x/>", "<!-- x --></sst>"]),
    chunk=st.sampled_from([1, 20, 1 << 20]),
)
def test_shared_texts_are_those_that_an_xml_parser_reads(items: list[str], end: str, chunk: int) -> None:
    """The table is read as an XML parser reads it, or left to one."""
    xml = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<sst xmlns="{MAIN}">{"".join(items)}{end}'.encode()
    found = texts_of(xml, chunk)

    if found is not None:
        assert found == parsed_texts(io.BytesIO(xml))
    else:
        assert set(items) & set(ODD_ITEMS) or not items or end.strip() != "</sst>"


@pytest.mark.parametrize("way", [shared_texts, parsed_texts])
def test_an_escaped_underscore_is_not_taken_for_the_beginning_of_a_character(way: Any, make_workbook: Any) -> None:
    """Excel writes `_x0041_`, typed so, as `_x005F_x0041_`; half of it taken off it would be the letter A."""
    xml = f'<sst xmlns="{MAIN}"><si><t>No_x005F_x0041_</t></si><si><t>0_x005F_x005F_</t></si></sst>'.encode()
    texts = way(io.BytesIO(xml))
    file = make_workbook([["No"], [texts[0]], [texts[1]]])

    assert texts == ["No_x005F_x0041_", "0_x005F_x005F_"]
    assert column(read(file), "No") == {2: "No_x0041_", 3: "0_x005F_"}


def test_shared_texts_of_another_kind_are_left_to_openpyxl() -> None:
    """A table in another namespace, with a document type or in another encoding is not read quickly."""
    for xml in (
        b"<sst><si><t>1</t></si></sst>",
        f'<!DOCTYPE sst [<!ENTITY x "1">]><sst xmlns="{MAIN}"><si><t>1</t></si></sst>'.encode(),
        f'<?xml version="1.0" encoding="latin-1"?><sst xmlns="{MAIN}"><si><t>1</t></si></sst>'.encode(),
        f'<sst xmlns="{MAIN}"/>'.encode(),
    ):
        with pytest.raises(OddError):
            shared_texts(io.BytesIO(xml))


# -- around it ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
def test_pythons_search_for_cycles_is_left_as_it_was(make_workbook: Any, enabled: bool) -> None:
    """It rests while a sheet is read, also where that ends with an error."""
    file = make_workbook([["No"], ["1"]])
    try:
        gc.enable() if enabled else gc.disable()
        read(file)
        assert gc.isenabled() == enabled
        with pytest.raises(Exception, match="holds no headers"):
            read(file, header_row=9)
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_what_is_wrong_with_another_sheet_keeps_nobody_from_reading_this_one(make_workbook: Any) -> None:
    """Only the sheet that is meant is read."""
    file = make_workbook([["No"], ["1"]], prepare=lambda book: book.create_sheet("Other"))
    rewrite(file, SHEET.replace("1", "2"), lambda text: "<broken")

    assert column(read(file, sheet="Rows"), "No") == {2: "1"}
