"""A run from any kind of file leaves a results.xlsx that can be worked in and given to `run` again."""

import shutil
import zipfile
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import test_reading_ods as ods
from end_to_end import HEADERS, MAPPING, invoice_rows, program_here, run_here
from records import record
from sheet_xml import rewrite, with_rows

from importer.model import Fault, RunRecord
from importer.report.workbook_copy import load
from importer.workbook import read, sha256

FILES = Path(__file__).parent / "files"
CSV_MAPPING = MAPPING.replace("invoices.xlsx", "invoices.csv, locale: nb-NO").replace(
    "documentDate: Date", "documentDate: {column: Date, format: dd.mm.yyyy}"
)


def record_of(file: Path, sheet: str, header_row: int = 1) -> RunRecord:
    """Return the record of a run of a file."""
    return record(workbook_name=file.name, workbook_sha256=sha256(file), sheet=sheet, header_row=header_row)


def values(file: Path, **more: Any) -> list[tuple[int, bool, list[Any]]]:
    """Return the rows of a file: number, hidden, cells; a fault as its code."""
    sheet = read(file, **more)
    return [
        (row.number, row.hidden, [cell.code if isinstance(cell, Fault) else cell for cell in row.cells])
        for row in sheet.rows
    ]


def made(file: Path, sheet: str, into: Path, header_row: int = 1) -> Path:
    """Save the workbook that the report would be written into."""
    copy = into / "made.xlsx"
    load(file, record_of(file, sheet, header_row)).save(copy)
    return copy


@pytest.mark.parametrize(
    "name", ["libreoffice.ods", "libreoffice.xls", "sheetjs.xls", "sheetjs.xlsb", "sheetjs-hard.xlsb"]
)
def test_the_workbook_that_is_made_holds_what_was_read(name: str, tmp_path: Path) -> None:
    """Values with their types, formats, hidden rows, merged cells and sheets are read from it again as they were."""
    title = read(FILES / name).name
    copy = made(FILES / name, title, tmp_path)
    before, after = read(FILES / name), read(copy, sheet=title)

    assert values(copy, sheet=title) == values(FILES / name)
    assert after.headers == before.headers
    assert after.merged == before.merged
    assert [{spot: form for spot, form in row.formats.items() if form != "0"} for row in after.rows] == [
        {spot: form for spot, form in row.formats.items() if form != "0"} for row in before.rows
    ]


def test_hidden_sheets_stay_hidden(tmp_path: Path) -> None:
    """The other sheets come along, those out of sight stay there."""
    book = openpyxl.load_workbook(made(FILES / "sheetjs-hard.xlsb", "Rader", tmp_path))

    assert [(sheet.title, sheet.sheet_state) for sheet in book.worksheets] == [
        ("Rader", "visible"),
        ("Skjult", "hidden"),
        ("Dypt skjult", "hidden"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "0101",
        "=1+1",
        "-2+3",
        "@SUM",
        "+47",
        "1E5",
        "2025-01-27",
        "TRUE",
        "NULL",
        "a_x0041_b",
        "a\r\nb",
        "a\x0bb",
        "x" * 32_767,
    ],
)
def test_r8_a_text_of_a_csv_file_stays_the_same_text(text: str, tmp_path: Path) -> None:
    """R8: no text becomes a number, a formula or another text on its way through results.xlsx."""
    file = tmp_path / "rader.csv"
    file.write_bytes(f'No;A\n1;"{text}"\n2;x\n'.encode())
    copy = made(file, "rader", tmp_path)
    cell = openpyxl.load_workbook(copy)["rader"]["B2"]

    assert values(copy, sheet="rader") == values(file)
    assert (cell.data_type, cell.number_format) == ("s", "@")


def test_a_text_too_long_for_a_cell_is_an_error_there(tmp_path: Path) -> None:
    """Cut to what a cell holds it would be another text in the next run."""
    file = tmp_path / "rader.csv"
    file.write_bytes(b"No;A\n1;" + b"x" * 32_768 + b"\n2;x\n")

    assert values(made(file, "rader", tmp_path), sheet="rader")[0][2] == ["1", "error_cell"]


def test_cells_that_could_not_be_read_are_problems_again(tmp_path: Path) -> None:
    """Errors, uncalculated formulas and lost digits do not become values by being written down."""
    sources = [("xlwt-1904.xls", "Rader"), ("libreoffice-hard.ods", "Rader"), ("libreoffice.ods", "Fakturaer")]
    faults = []
    for name, sheet in sources:
        copy = made(FILES / name, sheet, tmp_path)
        for before, after in zip(read(FILES / name).rows, read(copy, sheet=sheet).rows, strict=True):
            for cell, again in zip(before.cells, after.cells, strict=False):
                if isinstance(cell, Fault):
                    assert isinstance(again, Fault), (name, cell)
                    faults.append(cell.code)

    assert set(faults) == {"not_calculated", "duration", "too_many_digits", "error_cell"}


@pytest.mark.parametrize("day", ["1900-01-01", "1900-02-28", "1850-05-01", "0001-01-01", "1899-12-30", "1899-12-31"])
def test_a_date_that_could_not_be_read_is_none_that_can_in_the_copy(tmp_path: Path, day: str) -> None:
    """Written down as text it would go out when the report is run again, though nobody has corrected it."""
    sheet = ods.sheet_of(tmp_path, ods.row(ods.cell(f'office:value-type="date" office:date-value="{day}"')))
    again = read(made(sheet.file, sheet.name, tmp_path), sheet=sheet.name)
    before, after = sheet.rows[0].cells[1], again.rows[0].cells[1]

    assert isinstance(before, Fault)
    assert isinstance(after, Fault)
    assert (before.code, before.shown) == ("date_before_1900", day)
    # the number of the last two is that of midnight, or of no day
    nothing = day in {"1899-12-30", "1899-12-31"}
    assert (after.code, after.shown) == (("error_cell", "#VALUE!") if nothing else ("date_before_1900", day))


def test_titles_above_the_header_keep_their_rows(tmp_path: Path) -> None:
    """Row numbers of the report are those of the file as Excel shows it."""
    file = tmp_path / "rader.csv"
    file.write_text("sep=;\nRapport;januar\n\nNo;A\n1;x\n", encoding="utf-8")
    copy = made(file, "rader", tmp_path, header_row=3)

    assert openpyxl.load_workbook(copy)["rader"]["A1"].value == "Rapport"
    assert values(copy, sheet="rader", header_row=3) == [(4, False, ["1", "x"])]


# -- end to end --------------------------------------------------------------------------------------------------------


def csv_project(folder: Path, encoding: str, delimiter: str, mapping: str = CSV_MAPPING) -> Path:
    """Make a project whose invoices lie in a text file, the third of them with a date that is none."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [delimiter.join(HEADERS)]
    for number, row in enumerate(invoice_rows(4)):
        day = "31.02.2025" if number == 2 else f"{row[2]:%d.%m.%Y}"
        lines.append(
            delimiter.join([row[0], row[1], day, f"{row[3]} på Å", str(row[4]), str(row[5]).replace(".", ",")])
        )
    (folder / "invoices.csv").write_bytes("\r\n".join(lines).encode(encoding))
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("encoding", "delimiter", "declared"),
    [
        ("utf-8-sig", ";", ""),
        ("cp1252", ";", ""),
        ("cp865", "\t", ", encoding: cp865, delimiter: tab"),
        ("cp1252", "~", ", encoding: cp1252, delimiter: '~'"),
    ],
)
def test_c25_c26_a_run_from_a_text_file_is_corrected_and_run_again(
    tmp_path: Path, encoding: str, delimiter: str, declared: str
) -> None:
    """C25, C26: results.xlsx of a .csv file holds its rows as they were read; corrected, only the rest goes out."""
    mapping = CSV_MAPPING.replace("locale: nb-NO", f"locale: nb-NO{declared}")
    project = csv_project(tmp_path / "p", encoding, delimiter, mapping)
    first = run_here(project, "--skip-invalid")

    assert first.code == 4
    assert first.counts == {"accepted": 3, "invalid": 1}
    book = openpyxl.load_workbook(first.folder / "results.xlsx")
    sheet = book["Invoices"]
    assert [sheet.cell(1, column).value for column in range(1, 8)] == [*HEADERS, "Import status"]
    assert [sheet.cell(row, 7).value for row in range(2, 7)] == [
        "accepted",
        "accepted",
        "invalid",
        "invalid",
        "accepted",
    ]
    assert sheet["D2"].value == "Kaffe 1 på Å"

    sheet["C4"] = sheet["C5"] = "28.02.2025"
    book.save(project / "corrected.xlsx")
    second = run_here(project, "corrected.xlsx")

    assert second.code == 0, second.stdout + second.stderr
    assert second.counts == {"accepted": 1, "already_accepted": 3}
    # the report of the first run can be made again from what was kept
    code = program_here("report", first.run_id, "--report", "again", cwd=project).returncode
    again = openpyxl.load_workbook(project / "again" / "results.xlsx")["Invoices"]
    assert code == 0
    assert again["D2"].value == "Kaffe 1 på Å"
    assert run_here(project, "--skip-invalid").counts == {"already_accepted": 3, "invalid": 1}


def test_what_could_not_be_read_from_a_workbook_of_excel_is_not_written_as_a_value(
    make_workbook: Any, tmp_path: Path
) -> None:
    """A formula that waits for its result stays a formula, digits that a float does not hold stay as they are."""
    file = make_workbook([["No", "B", "C"]])
    with_rows(
        file,
        '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><f>1+1</f><v>0</v></c>'
        '<c r="C2"><v>1234567890123456.78</v></c></row>'
        '<row r="3"><c r="A3"><v>1</v></c><c r="B3"><f>1+1</f></c><c r="C3"><f>1+1</f><v>2</v></c></row>',
    )
    before = values(file)
    copy = made(file, "Rows", tmp_path)

    assert [cells[1:] for _number, _hidden, cells in before] == [
        ["not_calculated", "too_many_digits"],
        ["not_calculated", Decimal(2)],
    ]
    assert values(copy) == before


@pytest.mark.parametrize(
    ("number", "read_as"),
    [
        ("12345678901234.567", "too_many_digits"),
        ("9007199254740.993", "too_many_digits"),
        ("0.30000000000000004", Decimal("0.3")),
        ("9.5500000000000007", Decimal("9.55")),
    ],
)
def test_a_number_is_the_same_in_the_copy_of_a_workbook_of_excel(
    make_workbook: Any, tmp_path: Path, number: str, read_as: Any
) -> None:
    """Also where no formula stands beside it: too many digits are no other number when the report is run again."""
    file = with_rows(make_workbook([["No"]]), f'<row r="2"><c r="A2"><v>{number}</v></c></row>')

    assert values(file) == [(2, False, [read_as])]
    assert values(made(file, "Rows", tmp_path)) == [(2, False, [read_as])]


@pytest.mark.parametrize("ending", ["ods", "xls", "xlsb"])
def test_a_run_from_another_format_is_run_again_from_its_report(tmp_path: Path, ending: str) -> None:
    """What was accepted from the file is known again in its results.xlsx, cell for cell."""
    name = {"ods": "libreoffice.ods", "xls": "libreoffice.xls", "xlsb": "sheetjs.xlsb"}[ending]
    project = tmp_path / "p"
    project.mkdir()
    shutil.copy(FILES / name, project / f"rows.{ending}")
    (project / "mapping.yaml").write_text(
        f"version: 1\nendpoint: customer.create\nworkbook: {{file: rows.{ending}, sheet: Fakturaer}}\n"
        "key: Fakturanr\nwhere: \"{{ row['Kundenr'] != '1E5' }}\"\n"
        "fields: {name: Kunde, number: Fakturanr, vatRegistrationId: Kundenr, printInvoices: Betalt,\n"
        "  corporateId: {column: Løpenr, as: displayed},\n"
        "  accountReference: {template: \"{{ row['Beløp'] }} {{ row['Dato'] }} {{ row['Sum'] }}\"}}\n",
        encoding="utf-8",
    )
    first = run_here(project)

    assert first.code == 0, first.stdout + first.stderr
    assert first.counts == {"accepted": 3, "filtered": 1}
    shutil.copy(first.folder / "results.xlsx", project / "again.xlsx")
    second = run_here(project, "again.xlsx")
    assert second.counts == {"already_accepted": 3, "filtered": 1}


def test_another_sheet_that_is_damaged_keeps_nobody_from_the_report(tmp_path: Path) -> None:
    """The rows of the run were read whole; what is wrong elsewhere in the file does not matter to them."""
    file = tmp_path / "rows.xlsb"
    with zipfile.ZipFile(FILES / "sheetjs-hard.xlsb") as archive, zipfile.ZipFile(file, "w") as copy:
        for item in archive.infolist():
            data = archive.read(item)
            copy.writestr(item.filename, data[:-3] + b"\x05\x7f" if item.filename.endswith("sheet2.bin") else data)

    assert openpyxl.load_workbook(made(file, "Rader", tmp_path))["Rader"]["A2"].value == "001"


def test_another_sheet_that_is_out_of_order_keeps_nobody_from_the_report(make_workbook: Any, tmp_path: Path) -> None:
    """It is not looked at by the run, and comes along as far as it can be read."""
    file = make_workbook([["No"], ["0101"]], prepare=lambda book: book.create_sheet("Notes").append(["x"]))
    odd = '<row r="2"><c r="B2"><f>1+1</f></c><c r="A2"><v>1</v></c></row></sheetData>'
    rewrite(file, "xl/worksheets/sheet2.xml", lambda text: text.replace("</sheetData>", odd))

    assert openpyxl.load_workbook(made(file, "Rows", tmp_path))["Rows"]["A2"].value == "0101"


def test_the_types_of_cells_are_those_of_excel(tmp_path: Path) -> None:
    """A number is a number, a date a date, so that the user can go on working with them."""
    sheet = openpyxl.load_workbook(made(FILES / "libreoffice-hard.ods", "Rader", tmp_path))["Rader"]

    assert [type(sheet[place].value) for place in ("A2", "C2", "C4", "C6", "C11")] == [
        str,
        float,
        time,
        type(sheet["C6"].value),
        type(sheet["C11"].value),
    ]
    assert sheet["C11"].value.date() == date(2025, 1, 27)
    assert Decimal(str(sheet["C3"].value)) == Decimal("1234.5")
