"""`workbook`: a mapping's empty import workbook keeps what is typed into it, explains itself, knows its mapping."""

import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from blanks import MAPPING, NAMES, choices, column, every, headers, make, validation
from end_to_end import command, copy_sample, program_here

from importer.blank.instructions import MANDATORY, OPTIONAL
from importer.blank.sheet import FORMATTED_ROWS
from importer.blank_mark import carried_mark, mark_of
from importer.mapping_file import read_mapping


def test_headers_stand_in_the_mappings_order_with_mandatory_ones_coloured(tmp_path: Path) -> None:
    """The key comes first; what must be filled in has its own colour, which the instructions explain."""
    book = make(tmp_path)
    sheet, page = book["Import"], book["Instructions"]
    coloured = {cell.value: cell.fill.fgColor.rgb for cell in sheet[1]}
    legend = {row[0].fill.fgColor.rgb: row[1].value for row in page.iter_rows() if row[0].value == "Header"}
    must = {header for header, colour in coloured.items() if legend[colour].startswith("must")}

    assert headers(sheet) == [
        *("Invoice no", "Customer", "Date", "Currency", "Text", '=Item, "old"', "Qty", "Price", "Unit", "Deductible"),
        *("Kind", "State", "Amount"),
    ]
    assert must == {"Invoice no", "Customer", "Currency", "Text", '=Item, "old"'}
    assert {MANDATORY.fgColor.rgb, OPTIONAL.fgColor.rgb} == set(legend)


def test_the_header_row_and_the_sheet_are_those_of_the_mapping(tmp_path: Path) -> None:
    """A mapping that reads row 4 of a sheet gets a workbook with its headers there, and panes frozen below."""
    sheet = make(tmp_path, MAPPING.replace("{locale: nb-NO}", "{sheet: Grunnlag, header_row: 4}"))["Grunnlag"]

    assert headers(sheet, 4)[0] == "Invoice no"
    assert sheet["A1"].value
    assert sheet.freeze_panes == "B5"


def test_text_columns_are_formatted_as_text(tmp_path: Path) -> None:
    """Cell by cell for a good number of rows, and by the column beyond; dates and numbers have their own formats."""
    sheet = make(tmp_path)["Import"]
    last = FORMATTED_ROWS + 1

    forms = {"Invoice no": "@", "Customer": "@", "Date": "d.m.yyyy", "Qty": "#,##0", "Price": "#,##0.00"}
    for header, form in forms.items():
        letter = column(sheet, header)
        spot = sheet[f"{letter}1"].column
        (whole,) = [each for each in sheet.column_dimensions.values() if each.min <= spot <= each.max]
        assert [sheet[f"{letter}{row}"].number_format for row in (2, 3, last)] == [form] * 3, header
        assert whole.number_format == form
    assert FORMATTED_ROWS >= 1_000


def test_what_is_typed_into_a_text_column_keeps_its_zeros(tmp_path: Path) -> None:
    """A number typed as 00471 into a cell formatted so is text in LibreOffice, and arrives with its zeros."""
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    make(tmp_path)
    (tmp_path / "type.py").write_text(TYPING, encoding="utf-8")
    python = "/usr/bin/python3" if Path("/usr/lib/python3/dist-packages/uno.py").is_file() else None
    if python is None:
        pytest.skip("Python's bridge to LibreOffice is not installed")
    arguments = [python, "type.py", office, str(tmp_path)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    typed = openpyxl.load_workbook(tmp_path / "typed.xlsx")["Import"]

    assert [typed[place].value for place in ("A2", "A1500", "A9000")] == ["00471", "0101", "000"]
    assert typed["G2"].value == 12


TYPING = """
import subprocess, sys, time, uno
from com.sun.star.beans import PropertyValue
office, folder = sys.argv[1:]
pipe = "pipe,name=typing" + str(time.time_ns())
process = subprocess.Popen([office, "--headless", "--norestore", f"-env:UserInstallation=file://{folder}/profile",
                            f"--accept={pipe};urp;"])
local = uno.getComponentContext()
resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
for _ in range(600):
    try:
        context = resolver.resolve(f"uno:{pipe};urp;StarOffice.ComponentContext")
        break
    except Exception:
        time.sleep(0.1)
desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
hidden = PropertyValue(Name="Hidden", Value=True)
book = desktop.loadComponentFromURL(f"file://{folder}/blank.xlsx", "_blank", 0, (hidden,))
sheet = book.Sheets.getByName("Import")
dispatch = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.DispatchHelper", context)
frame = book.CurrentController.Frame
book.CurrentController.setActiveSheet(sheet)
for place, text in {"A2": "00471", "A1500": "0101", "A9000": "000", "G2": "12"}.items():
    book.CurrentController.select(sheet.getCellRangeByName(place))
    dispatch.executeDispatch(frame, ".uno:EnterString", "", 0, (PropertyValue(Name="StringName", Value=text),))
book.storeToURL(f"file://{folder}/typed.xlsx", (PropertyValue(Name="FilterName", Value="Calc MS Excel 2007 XML"),))
book.close(True)
try:
    desktop.terminate()
except Exception:
    pass
process.wait(60)
"""


def test_enums_booleans_and_code_lists_have_drop_downs(tmp_path: Path) -> None:
    """Each offers exactly what the mapping takes, commas and a leading = included, as text in a hidden sheet."""
    book = make(tmp_path)
    sheet = book["Import"]
    offered = {name: choices(book, f"{column(sheet, name)}2") for name in ("Unit", "Deductible", "Kind")}
    far = validation(sheet, f"{column(sheet, 'Unit')}900000")

    assert offered == {
        "Unit": ["stk", "=time, h"],
        "Deductible": ["ja", "nei"],
        "Kind": ["Service", "MaterialCost", "OtherCost"],
    }
    assert far.showErrorMessage
    assert book["Lists"].sheet_state == "hidden"
    assert {cell.data_type for row in book["Lists"].iter_rows() for cell in row if cell.value is not None} == {"s"}


def test_dates_and_numbers_are_limited_and_each_cell_says_what_it_takes(tmp_path: Path) -> None:
    """A text typed where a date or a number belongs is refused by Excel; the hint names what must be filled in."""
    sheet = make(tmp_path)["Import"]
    kinds = {header: validation(sheet, f"{column(sheet, header)}2").type for header in ("Date", "Qty", "Price", "Text")}
    hint = validation(sheet, "B2")

    assert kinds == {"Date": "date", "Qty": "decimal", "Price": "decimal", "Text": None}
    assert hint.promptTitle == "Customer"
    assert hint.prompt.startswith("Must be filled in. Text")
    assert all(len(rule.prompt) <= 255 for rule in sheet.data_validations.dataValidation)


@pytest.mark.parametrize("name", NAMES)
def test_the_empty_workbook_is_read_as_the_mapping_says(tmp_path: Path, name: str) -> None:
    """`check` finds its sheet and every column, no rows, and no problem."""
    project = copy_sample(name, tmp_path)
    command("workbook", "mapping.yaml", "-o", "blank.xlsx", cwd=project)
    code, said, error = command("check", "mapping.yaml", "blank.xlsx", "--json", cwd=project)

    assert code == 0, said + error
    assert json.loads(said)["rows_read"] == 0
    assert json.loads(said)["problems"] == []


def example_rows(page: Any) -> dict[str, list[Any]]:
    """Return the example cells of the instructions, by column."""
    rows = list(page.iter_rows(values_only=True))
    (start,) = [spot for spot, row in enumerate(rows) if row[0] == "Column"]
    return {str(row[0]): list(row[3:6]) for row in rows[start + 1 :] if row[0] is not None}


def typed_in(folder: Path, sheet: str | None, row: int) -> Path:
    """Copy the examples of a made workbook into its sheet, as a person would; return the filled workbook."""
    book = openpyxl.load_workbook(folder / "blank.xlsx")
    page = book[sheet] if sheet else book.worksheets[0]
    for header, values in example_rows(book["Instructions"]).items():
        for spot, value in enumerate(values, start=row + 1):
            cell = page[f"{column(page, header, row)}{spot}"]
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
    book.save(folder / "filled.xlsx")
    return folder / "filled.xlsx"


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_are_rows_that_the_mapping_takes(tmp_path: Path, name: str) -> None:
    """Typed into the sheet they give documents without a problem: two rows of one and one of another."""
    project = copy_sample(name, tmp_path)
    parsed = read_mapping(project / "mapping.yaml")
    command("workbook", "mapping.yaml", "-o", "blank.xlsx", cwd=project)
    typed_in(project, parsed.workbook.sheet, parsed.workbook.header_row)
    code, said, error = command("check", "mapping.yaml", "filled.xlsx", "--json", cwd=project)
    found = json.loads(said)

    assert code == 0, said + error
    assert found["rows_read"] == 3
    assert found["documents"]["ready"] == (2 if parsed.endpoint.lines else 3)


def test_the_example_is_on_the_instructions_and_never_in_the_sheet(tmp_path: Path) -> None:
    """Every row of the sheet is imported, so the example stands where nothing is; the page says so."""
    book = make(tmp_path)
    sheet, page = book["Import"], book["Instructions"]
    told = " ".join(str(cell.value) for row in page.iter_rows() for cell in row if cell.value is not None)

    assert all(cell.value is None for row in sheet.iter_rows(min_row=2) for cell in row)
    assert "because every row of the sheet is imported" in told
    assert "Rows with the same 'Invoice no' form one document" in told
    assert "Rows are left out for which this is not true: {{ row['State'] != 'Void' }}" in told
    assert example_rows(page)["Unit"] == ["stk", "stk", "stk"]
    assert example_rows(page)["Invoice no"] == ["001001", "001001", "001002"]
    assert example_rows(page)["Date"] == [datetime(2025, 1, 27)] * 3  # noqa: DTZ001


def test_nothing_in_the_workbook_is_a_formula(tmp_path: Path) -> None:
    """A header or a code that begins with = stays text."""
    book = make(tmp_path)

    assert [cell.coordinate for cell in every(book) if cell.data_type == "f"] == []


def test_a_filled_workbook_is_imported_and_its_report_keeps_its_mark(tmp_path: Path) -> None:
    """The instructions are no rows of it; corrected reports of it still say which mapping they were made from."""
    project = copy_sample("invoices", tmp_path)
    command("workbook", "mapping.yaml", "-o", "blank.xlsx", cwd=project)
    typed_in(project, "Fakturaer", 1)
    done = program_here("run", "mapping.yaml", "filled.xlsx", "--report", "out", cwd=project)
    counts = json.loads((project / "out" / "results.json").read_text(encoding="utf-8"))["counts"]

    assert done.returncode == 0, done.stdout + done.stderr
    assert counts["accepted"] == {"documents": 2, "rows": 3}
    assert carried_mark(project / "out" / "results.xlsx") == mark_of(read_mapping(project / "mapping.yaml"))


# -- the command ---------------------------------------------------------------------------------------------------


def test_a_workbook_is_never_overwritten_unasked(tmp_path: Path) -> None:
    """Somebody may have filled it in: exit code 2, and the file stays; --force overwrites it."""
    make(tmp_path)
    (tmp_path / "blank.xlsx").write_bytes(b"filled in")
    code, _, error = command("workbook", "mapping.yaml", "-o", "blank.xlsx", cwd=tmp_path)
    kept = (tmp_path / "blank.xlsx").read_bytes()
    make(tmp_path)

    assert (code, kept) == (2, b"filled in")
    assert "--force" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blank.xlsx", "mapping.yaml"]


@pytest.mark.parametrize(
    ("output", "sheet", "code", "said"),
    [
        ("blank.csv", "Import", 2, "must end in .xlsx"),
        ("nowhere/blank.xlsx", "Import", 3, "cannot be written"),
        ("blank.xlsx", "a/b", 2, "No sheet of an .xlsx workbook can be called 'a/b'"),
        ("blank.xlsx", "x" * 32, 2, "can be called"),
    ],
)
def test_what_cannot_be_made_is_said(tmp_path: Path, output: str, sheet: str, code: int, said: str) -> None:
    """A sentence with the name and what to do, and no file left behind."""
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("{locale: nb-NO}", f"{{sheet: {sheet}}}"), encoding="utf-8")
    got, _, error = command("workbook", "mapping.yaml", "-o", output, cwd=tmp_path)

    assert got == code
    assert said in error
    assert [path.name for path in tmp_path.iterdir()] == ["mapping.yaml"]


def test_a_sheet_called_as_our_own_pages_stays_the_users(tmp_path: Path) -> None:
    """The mapping's sheet has the name first; ours gets another."""
    book = make(tmp_path, MAPPING.replace("{locale: nb-NO}", "{sheet: instructions}"))

    assert book.sheetnames[:2] == ["instructions", "Instructions (2)"]
    assert command("check", "mapping.yaml", "blank.xlsx", cwd=tmp_path)[0] == 0


def test_json_names_the_workbook_and_what_must_be_filled_in(tmp_path: Path) -> None:
    """For programs: the file, the mapping's name and version, the columns."""
    (tmp_path / "mapping.yaml").write_text(MAPPING, encoding="utf-8")
    data = json.loads(command("workbook", "mapping.yaml", "-o", "blank.xlsx", "--json", cwd=tmp_path)[1])
    mark = carried_mark(tmp_path / "blank.xlsx")

    assert mark is not None
    assert (data["workbook"], data["mapping"], data["version"]) == ("blank.xlsx", "invoices", mark.version)
    assert data["mandatory"] == ["Invoice no", "Customer", "Currency", "Text", '=Item, "old"']


def test_the_same_mapping_makes_the_same_workbook(tmp_path: Path) -> None:
    """Cells, formats, drop-downs and mark are the same each time, on any day."""

    def content() -> list[Any]:
        book = make(tmp_path)
        cells = [(cell.parent.title, cell.coordinate, cell.value, cell.number_format) for cell in every(book)]
        found = book["Import"].data_validations.dataValidation
        rules = [(str(rule.sqref), rule.formula1, rule.prompt) for rule in found]
        return [*cells, *rules, carried_mark(tmp_path / "blank.xlsx")]

    assert content() == content()
