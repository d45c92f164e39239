"""The report of a run: its summary sheet, its JSON, and a folder that holds it whole or not at all."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from report_book import (
    INVALID,
    OUTCOMES,
    ROWS,
    lines_of,
    make_workbook,
    record_of,
    report_on,
)

from importer import report
from importer.model import Status, Total
from importer.report import write_report
from importer.report.json_file import results
from importer.workbook import sha256

SCHEMA = json.loads((Path(__file__).parents[1] / "schemas" / "results.schema.json").read_text(encoding="utf-8"))


def test_the_summary_tells_the_whole_run(tmp_path: Path) -> None:
    """It stands last, with the counts, the equation and the totals as numbers."""
    sheet = report_on(make_workbook(tmp_path), stopped="The disk was full.")["Import summary"]
    lines = lines_of(sheet)
    assert lines[0] == ["sandbox: nothing reached Visma"]
    assert ["Run", "20250127-1"] in lines
    assert ["Started", "2025-01-27 10:00:00 UTC"] in lines
    assert ["Stopped", "The disk was full."] in lines
    assert [line[1:3] for line in lines if line[:1] == ["accepted"]] == [[1, 2]]
    assert [line[1:3] for line in lines if line[:1] == ["unknown"]] == [[0, 0]]
    assert ["Sum", 2, 3, "Rows read: 3 = 2 + 1. Every row is accounted for."] in lines
    assert ["Net", "Amount", -175.4, -175.4, "yes"] in lines
    assert sheet.page_setup.orientation == "portrait"


def test_text_beside_a_number_keeps_its_distance(tmp_path: Path) -> None:
    """A number ends where its column ends: the cause that begins there would read as one word with it."""
    refused = replace(INVALID, status=Status.REJECTED, problems=(), message="Visma answered: No.")
    sheet = report_on(make_workbook(tmp_path), [OUTCOMES[0], refused])["Import summary"]
    (head,) = [cells for cells in sheet.iter_rows() if cells[1].value == "Rows"]

    assert [cell.alignment.horizontal for cell in head[:3]] == ["right", "right", "left"]
    assert (head[2].alignment.indent, sheet.cell(head[0].row + 1, 3).alignment.indent) == (1, 1)


def test_a_broken_equation_is_said_aloud(tmp_path: Path) -> None:
    """A row that no document has cannot hide."""
    lines = lines_of(report_on(make_workbook(tmp_path), rows_read=4)["Import summary"])
    assert any("This is a mistake in the program" in str(line[-1]) for line in lines if line)


def test_a_real_run_carries_no_notice(tmp_path: Path) -> None:
    """Only what was simulated says so."""
    book = report_on(make_workbook(tmp_path), simulated=False)
    assert "nothing reached" not in str(lines_of(book["Import summary"]))


def test_a_total_of_more_digits_than_excel_keeps_is_text(tmp_path: Path) -> None:
    """No digit of a total is lost."""
    total = Total(name="Net", column="Amount", sum=Decimal("1234567890123456.78"), expect=Decimal("0.005"))
    lines = lines_of(report_on(make_workbook(tmp_path), totals=(total,))["Import summary"])
    assert ["Net", "Amount", "1,234,567,890,123,456.78", 0.005, "NO"] in lines


def test_one_sheet_alone_is_selected(tmp_path: Path) -> None:
    """Sheets that stay selected together would be edited together."""

    def edit(sheet: Any) -> None:
        sheet.parent.create_sheet("Notes").sheet_view.tabSelected = True
        sheet.parent.active = 1

    book = report_on(make_workbook(tmp_path, edit))
    assert book.active.title == "Invoices"
    assert [sheet.title for sheet in book if sheet.sheet_view.tabSelected] == ["Invoices"]


@pytest.mark.parametrize(
    "changes", [{}, {"finished_at": None, "exit_code": None, "totals": (Total(name="n", column="c", sum=None),)}]
)
def test_results_json_is_what_its_schema_describes(tmp_path: Path, changes: dict[str, Any]) -> None:
    """It is UTF-8 with a newline at its end, and has every status."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    file = make_workbook(tmp_path)
    report_on(file, [OUTCOMES[0], replace(INVALID, message="Ærlig talt")], **changes)
    raw = (tmp_path / "report" / "results.json").read_bytes()
    data = json.loads(raw)
    jsonschema.Draft7Validator(SCHEMA).validate(data)
    assert raw.endswith(b"}\n")
    assert "Ærlig talt".encode() in raw
    assert set(data["counts"]) == {status.value for status in Status}
    assert data["counts"]["accepted"] == {"documents": 1, "rows": 2}
    assert data["workbook"] == {"name": "invoices.xlsx", "sha256": sha256(file)}
    assert data["notice"] == "sandbox: nothing reached Visma"


def test_amounts_in_json_are_exact_text(tmp_path: Path) -> None:
    """No sum passes through a binary number."""
    record = record_of(tmp_path, totals=(Total(name="n", column="c", sum=Decimal("1E+3"), expect=Decimal("0.10")),))
    assert results(record, ())["totals"] == [
        {"name": "n", "column": "c", "sum": "1000", "expect": "0.10", "agrees": False}
    ]


def test_a_missing_copy_leaves_out_the_workbook_and_says_so(tmp_path: Path) -> None:
    """The other files are written, and no other run's results.xlsx stays beside them."""
    file = make_workbook(tmp_path)
    report_on(file)
    notes = write_report(tmp_path / "report", record_of(file, run_id="second"), OUTCOMES, None)
    assert notes == ["results.xlsx was not written: The copy of the workbook 'invoices.xlsx' is missing."]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "results.html",
        "results.json",
        "results.junit.xml",
        "summary.md",
    ]
    assert results(record_of(file, run_id="second"), OUTCOMES) == json.loads(
        (tmp_path / "report" / "results.json").read_text(encoding="utf-8")
    )


def test_a_copy_that_was_changed_or_damaged_is_not_used(tmp_path: Path) -> None:
    """Outcomes are never written beside rows that are not the run's."""
    file = make_workbook(tmp_path)
    record = record_of(file)
    make_workbook(tmp_path, rows=ROWS[:2])
    assert "no longer the workbook" in write_report(tmp_path / "report", record, OUTCOMES, file)[0]
    file.write_bytes(b"PK no workbook")
    assert "cannot be copied" in write_report(tmp_path / "report", record_of(file), OUTCOMES, file)[0]
    assert (tmp_path / "report" / "results.json").exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_error_while_writing_leaves_the_old_report_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files already written are thrown away with the rest; other files in the folder are left alone."""
    file = make_workbook(tmp_path)
    report_on(file)
    folder = tmp_path / "report"
    (folder / "mine.txt").write_text("mine", encoding="utf-8")
    before = contents(folder)

    def full(target: Path, *_: object) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "FILES", (*report.FILES, ("results.txt", full)))
    with pytest.raises(OSError, match="No space left"):
        write_report(folder, record_of(file, run_id="second"), OUTCOMES, file)
    assert contents(folder) == before


def test_a_killed_process_leaves_the_old_report_whole(tmp_path: Path) -> None:
    """What it had staged is hidden, and the next report is written all the same."""
    file = make_workbook(tmp_path)
    report_on(file)
    folder = tmp_path / "report"
    before = contents(folder)
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from importer import report\n"
        "from report_book import OUTCOMES, record_of\n"
        "def die(*_):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "report.FILES = (*report.FILES, ('results.txt', die))\n"
        "file = Path(sys.argv[1])\n"
        "report.write_report(file.parent / 'report', record_of(file), OUTCOMES, file)\n"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here.parent, here)))},
        check=False,
    )
    assert done.returncode == -9
    left = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    assert left == before
    assert write_report(folder, record_of(file, run_id="second"), OUTCOMES, file) == []
    assert json.loads((folder / "results.json").read_text(encoding="utf-8"))["run_id"] == "second"


def test_a_folder_of_the_staging_s_name_does_not_stop_the_report(tmp_path: Path) -> None:
    """A process of the same number may have been killed here before."""
    file = make_workbook(tmp_path)
    (tmp_path / "report" / f".partial-{os.getpid()}" / "deep").mkdir(parents=True)
    report_on(file)
    made = {name for name, _ in report.FILES if not name.startswith("replaced.")}
    assert {path.name for path in (tmp_path / "report").iterdir()} == made


def test_what_a_killed_process_left_goes_with_a_later_report(tmp_path: Path) -> None:
    """Unless it is so young that another process may be writing it, on this machine or another; nothing else goes."""
    file = make_workbook(tmp_path)
    folder = tmp_path / "report"
    names = (".partial-4194400", ".partial-4194401", ".partial-mine", ".partial-1.txt")
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "results.json").write_text("half", encoding="utf-8")
    long_ago = time.time() - 2 * 24 * 60 * 60
    for name in names:
        if name != ".partial-4194401":
            os.utime(folder / name, (long_ago, long_ago))
    report_on(file)
    assert [name for name in names if (folder / name).exists()] == list(names[1:])


@pytest.mark.parametrize("same", [True, False])
def test_the_user_s_own_workbook_is_never_removed(same: bool, tmp_path: Path) -> None:
    """Corrected in the report's folder and read from there, it stays where nothing can take its place."""
    file = make_workbook(tmp_path)
    report_on(file)
    own = tmp_path / "report" / "results.xlsx"
    corrected = own.read_bytes()

    notes = write_report(tmp_path / "report", record_of(file), OUTCOMES, None, own=own if same else file)
    assert own.exists() == same
    assert not same or own.read_bytes() == corrected
    assert notes[1:] == (["results.xlsx there is still the workbook that was read."] if same else [])
