"""`check --report` marks the bad cells of the user's own sheet, and the next report takes the marks off."""

import zipfile
from pathlib import Path
from typing import Any

import openpyxl
from checks import good, row
from end_to_end import (
    MAPPING,
    command,
    make_project,
    run_here,
)
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill

from importer.report import marks


def checked(project: Path, file: str = "invoices.xlsx", into: str = "report") -> Any:
    """Return the sheet of the report of a check."""
    command("check", "mapping.yaml", file, "--report", into, cwd=project)
    return openpyxl.load_workbook(project / into / "results.xlsx")


def is_marked(cell: Any) -> bool:
    return cell.fill.patternType == "solid" and cell.fill.fgColor.rgb == marks.FILL


def test_bad_cells_are_marked_and_say_what_is_wrong(tmp_path: Path) -> None:
    """The cell is filled, its comment is the problem, and no other cell is touched."""
    project = make_project(tmp_path / "p", [row("F001", qty="to stk", day="31.02.2025"), *good(2, 2)])
    sheet = checked(project)["Invoices"]
    found = {cell.coordinate for cells in sheet.iter_rows(max_col=6) for cell in cells if is_marked(cell)}

    assert found == {"C2", "E2"}
    assert "'to stk' is not a number" in sheet["E2"].comment.text
    assert {cell.coordinate for cells in sheet.iter_rows() for cell in cells if cell.comment} == found
    assert sheet["E2"].value == "to stk"


def test_what_is_wrong_with_the_whole_file_and_what_is_odd_stand_on_the_summary(tmp_path: Path) -> None:
    """Problems without a row are not lost in the report: the summary sheet lists them, the causes and the warnings."""
    mapping = MAPPING + "totals: [{name: Net, sum: Unit price, expect: 51}]\n"
    project = make_project(tmp_path / "p", [row("F001", qty="x"), row("F01")], mapping)
    texts = [
        str(cell) for cells in checked(project).worksheets[-1].iter_rows(values_only=True) for cell in cells if cell
    ]

    assert any("51 is expected" in text for text in texts)
    assert "Not a number" in texts
    assert any("'F001'" in text and "'F01'" in text for text in texts)


def test_the_summary_of_a_check_speaks_of_a_check(tmp_path: Path) -> None:
    """Nothing was to be sent: no target, no run and no exit code, and what is ready is not told to be run again."""
    summary = checked(make_project(tmp_path / "p", [row("F001", qty="x"), row("F002")])).worksheets[-1]
    lines = {cells[0]: [cell for cell in cells[1:] if cell] for cells in summary.iter_rows(values_only=True)}

    assert {"Run", "Target", "Exit code"} & set(lines) == set()
    assert lines["Result"] == ["This was a check: nothing was sent."]
    assert lines["not_sent"] == [1, 1, "It is ready to be sent. Nothing to do."]


def test_the_next_report_takes_the_marks_off_and_gives_the_colour_back(tmp_path: Path) -> None:
    """Corrected in the report and run again, the sheet has its own colours and its own comments, no mark of ours."""
    project = make_project(tmp_path / "p", [row("F001", qty="to stk"), row("F002", qty="x"), row("F003", price="y")])
    book = openpyxl.load_workbook(project / "invoices.xlsx")
    book["Invoices"]["E2"].fill = PatternFill("solid", fgColor="FFDDEEFF")
    book["Invoices"]["F4"].comment = Comment("Ask Kari", "Ola")
    book.save(project / "invoices.xlsx")
    first = checked(project)
    assert is_marked(first["Invoices"]["E2"])
    assert is_marked(first["Invoices"]["E3"])
    assert first["Invoices"]["F4"].comment.text == "Ask Kari"
    for cell, value in (("E2", 2), ("E3", 1), ("F4", 10)):
        first["Invoices"][cell] = value
    first.save(project / "invoices.xlsx")
    sheet = openpyxl.load_workbook(run_here(project).folder / "results.xlsx")["Invoices"]

    assert sheet["E2"].fill.fgColor.rgb == "FFDDEEFF"
    assert sheet["E3"].fill.patternType is None
    assert [cell.comment.text for cells in sheet.iter_rows() for cell in cells if cell.comment] == ["Ask Kari"]


def test_a_run_that_skips_invalid_documents_marks_their_cells_too(tmp_path: Path) -> None:
    """Whoever corrects the report of a run sees where."""
    project = make_project(tmp_path / "p", [row("F001", qty="to stk"), *good(2, 2)])
    ran = run_here(project, "--skip-invalid")
    sheet = openpyxl.load_workbook(ran.folder / "results.xlsx")["Invoices"]

    assert ran.code == 4
    assert {cell.coordinate for cells in sheet.iter_rows(max_col=6) for cell in cells if is_marked(cell)} == {"E2"}


def test_comments_are_plain_text_and_their_number_is_bounded(tmp_path: Path) -> None:
    """R8: a cell that begins like a formula stays text in its comment; thousands of comments would stall Excel."""
    rows = [row("F0", qty='=HYPERLINK("x")'), *(row(f"F{n}", qty="x") for n in range(1, 2500))]
    project = make_project(tmp_path / "p", rows)
    sheet = checked(project)["Invoices"]
    comments = [sheet.cell(number, 5).comment for number in range(2, 2502)]

    assert sum(comment is not None for comment in comments) == 2000
    assert comments[0] is not None
    assert "=HYPERLINK" in comments[0].text
    assert all(is_marked(sheet.cell(number, 5)) for number in range(2, 2502))
    with zipfile.ZipFile(project / "report" / "results.xlsx") as archive:
        assert not any(b"<f>" in archive.read(name) for name in archive.namelist() if "worksheets" in name)
