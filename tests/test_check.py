"""`check` shows everything at once: causes, then each, warnings apart; as text, as JSON and in the user's sheet."""

import ast
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
from conftest import PlanOf
from end_to_end import (
    HEADERS,
    MAPPING,
    ROOT,
    command,
    copy_sample,
    environment,
    make_project,
    program,
    run_here,
    write_workbook,
)
from openpyxl.comments import Comment
from openpyxl.styles import PatternFill

from importer import workbook
from importer.blank_mark import PROPERTY
from importer.grouping import TITLES, causes
from importer.mapping_file import read_mapping
from importer.model import Problem
from importer.plan import Plan, make_plan
from importer.report import marks

SCHEMA = json.loads((ROOT / "schemas" / "check.schema.json").read_text(encoding="utf-8"))
DAY = date(2025, 1, 27)


def row(
    key: str, *, customer: Any = "10000", day: Any = DAY, text: Any = "Kaffe", qty: Any = 2, price: Any = 10
) -> Any:
    """Return one row of the sheet Invoices."""
    return (key, customer, day, text, qty, price)


def good(count: int, first: int = 1) -> list[Any]:
    """Return rows without a mistake, each its own document."""
    return [row(f"F{number:03}") for number in range(first, first + count)]


def check_json(project: Path, *more: str) -> Any:
    """Return what `check --json` prints, held against its schema."""
    code, out, _ = command("check", "mapping.yaml", "--json", *more, cwd=project)
    data = json.loads(out)
    jsonschema.Draft7Validator(SCHEMA).validate(data)
    assert data["exit_code"] == code
    return data


def warned(plan: Plan, code: str) -> list[Problem]:
    """Return the warnings of one kind."""
    return [warning for warning in plan.warnings if warning.code == code]


# -- causes, then each ------------------------------------------------------------------------------------------------


def test_causes_are_counted_with_their_first_cells_and_the_whole_file_comes_first(tmp_path: Path) -> None:
    """A person reads how many cells have which mistake before reading any of them."""
    rows = [*(row(f"F{n}", qty="to stk") for n in range(3)), row("F3", day="31.02.2025"), row("F4", qty="ti")]
    project = make_project(tmp_path / "p", rows, MAPPING + "totals: [{name: Net, sum: Unit price, expect: 51}]\n")
    code, out, _ = command("check", "mapping.yaml", cwd=project)
    overview, each = out.split("Each of them:")
    found = [line.split(maxsplit=1) for line in overview.splitlines()[1:] if line.strip()]

    assert code == 3
    assert [number for number, _ in found] == ["1", "4", "1"]
    assert "Total is not what is expected" in found[0][1]
    assert re.search(r"Not a number: Qty\s+E2:E4, E6", found[1][1])
    assert re.search(r"Date as text.*: Date\s+C5", found[2][1])
    assert "Invoices!E2:E4  Qty\n    'to stk' is not a number" in each
    assert "6 problems. Correct them" in out


def test_a_long_list_is_capped_on_screen_and_whole_elsewhere(tmp_path: Path) -> None:
    """3,000 different mistakes are fifty on the screen, with a line that says where all of them are."""
    project = make_project(tmp_path / "p", [row(f"F{n}", qty=f"{n} stk") for n in range(3000)])
    _, out, _ = command("check", "mapping.yaml", "--report", "report", cwd=project)
    data = check_json(project)
    sheet = openpyxl.load_workbook(project / "report" / "results.xlsx")["Invoices"]

    assert len(out.splitlines()) < 130
    assert "... and 2,950 more." in out
    assert re.search("--report DIR .* --json", out)
    assert len(data["problems"]) == 3000
    assert [(cause["code"], cause["count"], cause["places"]) for cause in data["causes"]] == [
        ("number_format", 3000, ["E2:E3001"])
    ]
    assert sum(sheet.cell(number, 5).fill.fgColor.rgb == marks.FILL for number in range(2, 3002)) == 3000


def test_a_column_of_numbers_counts_its_cells_and_is_told_once(plan_of: PlanOf) -> None:
    """C2: numbers in a text column are one problem, and its cause says how many cells it concerns."""
    mapping = {
        "version": 1,
        "endpoint": "customerInvoice.create",
        "key": "Key",
        "fields": {"customerNumber": "Customer"},
        "lines": {"description": "Text"},
    }
    plan = plan_of(mapping, [["Key", "Customer", "Text"], *[[f"F{n}", 10000 + n, "Kaffe"] for n in range(5)]])
    own = [problem for document in plan.documents for problem in document.problems]

    assert len(plan.problems) == 1
    assert [(cause.count, cause.places) for cause in causes(own, plan.sheet.headers)] == [(5, ("B2:B6",))]


def test_every_kind_of_problem_has_a_name_in_plain_words() -> None:
    """Each code that stands in the program has a title; no code is shown to people."""
    codes: set[str] = set()
    for file in (ROOT / "importer").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Fault", "RenderFault"} and node.args:
                first = node.args[0]
                codes |= {first.value} if isinstance(first, ast.Constant) and isinstance(first.value, str) else set()
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Problem":
                values = [word.value for word in node.keywords if word.arg == "code"]
                codes |= {str(value.value) for value in values if isinstance(value, ast.Constant)}

    assert len(codes) > 40
    assert codes - set(TITLES) == set()


def test_a_mistake_of_the_mapping_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    """Line and column of the file, the line itself, and a mark under the place."""
    project = make_project(tmp_path / "p", good(1), MAPPING.replace("quantity: Qty", "quantty: Qty"))
    code, _, error = command("check", "mapping.yaml", cwd=project)
    place, quoted, caret, *hint = error.splitlines()
    data = check_json(project)

    assert code == 3
    assert re.match(r"mapping\.yaml:\d+:3: ", place)
    assert quoted.endswith("|   quantty: Qty")
    assert caret.index("^") == quoted.index("quantty")
    assert "'quantity'" in place + "".join(hint)
    assert [(error["position"], error["file"]) for error in data["errors"]] == [(3, "mapping.yaml")]


@pytest.mark.parametrize("header", ["Qtty", "qty", "Q ty", "Quty"])
def test_a_header_that_is_nearly_right_is_proposed(tmp_path: Path, header: str) -> None:
    """Where a column is missing, the header that was meant is named."""
    project = make_project(tmp_path / "p", [])
    write_workbook(project / "invoices.xlsx", good(1), [*HEADERS[:4], header, HEADERS[5]])
    (problem,) = check_json(project)["problems"]

    assert (problem["code"], problem["column"], problem["row"]) == ("no_column", "Qty", 1)
    assert f"Did you mean {header!r}?" in problem["message"]
    assert "mapping.yaml, line" in problem["message"]


@pytest.mark.parametrize("sample", ["with-mistakes", "invoices", "customers"])
def test_json_is_as_its_schema_says(tmp_path: Path, sample: str) -> None:
    """Programs can rely on the schema, for a sheet with mistakes as for one without."""
    data = check_json(copy_sample(sample, tmp_path))

    assert bool(data["problems"]) == (sample == "with-mistakes")
    assert sum(cause["count"] for cause in data["causes"]) >= len(data["problems"])


def test_on_a_terminal_texts_are_wrapped_between_words(tmp_path: Path) -> None:
    """On 80 columns no line is longer and no word is broken; a pipe gets each message on one line."""
    project = copy_sample("with-mistakes", tmp_path)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    arguments = [sys.executable, "-m", "importer", "check", "mapping.yaml"]
    said = bytearray()
    with subprocess.Popen(arguments, cwd=project, env=environment(project, TERM="xterm"), stdout=theirs) as process:
        os.close(theirs)
        while True:
            try:
                more = os.read(ours, 65_536)
            except OSError:
                break
            said += more
            if not more:
                break
        process.wait(timeout=60)
    os.close(ours)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in said.decode().splitlines()]
    piped = program("check", "mapping.yaml", cwd=project).stdout

    assert [line for line in lines if len(line) > 80 and " " in line.strip()[:76]] == []
    assert " ".join(" ".join(lines).split()) == " ".join(piped.split())
    assert any(len(line) > 150 for line in piped.splitlines())


# -- warnings ---------------------------------------------------------------------------------------------------------


def plan_with_dates(tmp_path: Path, days: list[Any], today: date | None) -> Plan:
    """Return the plan of invoices with these dates."""
    project = make_project(tmp_path / "p", [row(f"F{n:03}", day=day) for n, day in enumerate(days)])
    mapping = read_mapping(project / "mapping.yaml")
    return make_plan(mapping, workbook.read(project / "invoices.xlsx", sheet="Invoices"), {}, today=today)


def test_a_date_far_from_the_others_is_warned_of(tmp_path: Path) -> None:
    """C11, C12: a year that was mistyped stands out by its cell, and nothing is held back by it."""
    plan = plan_with_dates(tmp_path, [DAY] * 9 + [date(2052, 1, 27)], None)
    (warning,) = warned(plan, "odd_date")

    assert (warning.row, warning.column, warning.value) == (11, "Date", "2052-01-27")
    assert "27 years after" in warning.message
    assert plan.problems == ()


@pytest.mark.parametrize(
    ("today", "says"),
    [(date(2025, 6, 1), None), (date(2029, 1, 28), "4 years before"), (date(2021, 1, 26), "4 years after")],
)
def test_a_column_of_dates_far_from_today_is_warned_of_once(tmp_path: Path, today: date, says: str | None) -> None:
    """C11: a mix-up of Excel's two date systems, four years and a day, is noticed; dates near today are not."""
    found = warned(plan_with_dates(tmp_path, [DAY] * 5, today), "odd_date")

    assert len(found) == (1 if says else 0)
    assert says is None or says in found[0].message


def test_dates_of_a_few_years_are_no_warning(tmp_path: Path) -> None:
    """Open invoices of the last two years are what a migration brings."""
    plan = plan_with_dates(tmp_path, [date(2023 + n % 3, 6, 30) for n in range(9)], date(2025, 12, 1))

    assert warned(plan, "odd_date") == []


@pytest.mark.parametrize(("blanks", "told"), [(0, False), (1, True), (5, True), (6, False), (10, False)])
def test_a_column_that_is_filled_in_part_is_warned_of(tmp_path: Path, blanks: int, told: bool) -> None:
    """C19: some blanks among filled cells may be forgotten ones; a column that is mostly blank is meant so."""
    rows = [row(f"F{n:03}", text=None if n < blanks else "Kaffe") for n in range(10)]
    project = make_project(tmp_path / "p", rows)
    found = [warning for warning in check_json(project)["warnings"] if warning["code"] == "half_empty"]

    assert len(found) == told
    if told:
        assert f"filled in {10 - blanks} rows and blank in {blanks}" in found[0]["message"]
        assert (found[0]["column"], found[0]["row"]) == ("Text", 2)


@pytest.mark.parametrize("option", ["blank: omit", "blank: clear", "default: Kaffe"])
def test_blanks_that_the_mapping_explains_are_no_warning(tmp_path: Path, option: str) -> None:
    """Who says what a blank means is not asked again."""
    mapping = MAPPING.replace("description: Text", f"description: {{column: Text, {option}}}")
    project = make_project(tmp_path / "p", [row("F0", text=None), *good(6)], mapping)

    assert check_json(project)["warnings"] == []


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("F0001", "F001", True),
        ("F0001", "f0001", True),
        ("F0001", "F 0001", True),
        ("F0001", "F000l", True),
        ("F0010", "FO010", True),
        ("F0010", "F001O", True),
        ("2024-01", "2024-1", True),
        ("F0001", "F0002", False),
        ("PO1", "P1", False),
        ("2024-11", "2024-1-1", False),
        ("Oslo", "0slo", False),
    ],
)
def test_two_keys_that_look_alike_are_warned_of(tmp_path: Path, one: str, other: str, told: bool) -> None:
    """C33: keys that differ by case, space, zeros or a letter like a digit may be one document torn in two."""
    project = make_project(tmp_path / "p", [row(one), row(other)])
    found = [warning for warning in check_json(project)["warnings"] if warning["code"] == "near_equal_keys"]

    assert len(found) == told
    assert all(repr(key) in warning["message"] for warning in found for key in (one, other))


@pytest.mark.parametrize(("said", "code"), [("include", "hidden_rows_kept"), ("skip", "hidden_rows_left")])
def test_hidden_rows_that_the_mapping_speaks_of_are_told_all_the_same(tmp_path: Path, said: str, code: str) -> None:
    """C31: who reads the result learns that rows nobody sees were imported or left out."""
    mapping = MAPPING.replace("sheet: Invoices}", f"sheet: Invoices, hidden_rows: {said}}}")
    project = make_project(tmp_path / "p", good(3), mapping)
    book = openpyxl.load_workbook(project / "invoices.xlsx")
    book["Invoices"].row_dimensions[3].hidden = True
    book.save(project / "invoices.xlsx")
    (warning,) = check_json(project)["warnings"]

    assert (warning["code"], warning["row"]) == (code, 3)


def test_what_the_reader_of_a_text_file_found_out_is_told(tmp_path: Path) -> None:
    """C26: the encoding that was found is shown before anybody relies on it."""
    project = make_project(tmp_path / "p", [], MAPPING.replace(", sheet: Invoices", ""))
    lines = [";".join(HEADERS), "F001;10000;2025-01-27;Bjørnøya;2;10"]
    (project / "rows.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
    notes = [warning["message"] for warning in check_json(project, "rows.csv")["warnings"]]

    assert any(re.search("cp1252|windows-1252", note, re.IGNORECASE) for note in notes), notes


def test_a_workbook_made_for_another_mapping_is_told(tmp_path: Path) -> None:
    """Somebody filled in the workbook of another mapping: the columns may mean something else."""
    project = make_project(tmp_path / "p", good(1))
    book = openpyxl.load_workbook(project / "invoices.xlsx")
    text = json.dumps({"mapping": "credit-notes", "version": "1"})
    book.custom_doc_props.append(openpyxl.packaging.custom.StringProperty(name=PROPERTY, value=text))
    book.save(project / "invoices.xlsx")
    (warning,) = check_json(project)["warnings"]

    assert warning["code"] == "template_other_mapping"
    assert "'credit-notes'" in warning["message"]


def test_warnings_stand_apart_and_hold_nothing_back(tmp_path: Path) -> None:
    """They come before the problems under their own heading, and do not change the exit code."""
    project = make_project(tmp_path / "p", [row("F001"), row("F01")])
    code, out, _ = command("check", "mapping.yaml", cwd=project)
    quiet = command("check", "mapping.yaml", "--quiet", cwd=project)[1]

    assert code == 0
    assert out.startswith("1 warning (")
    assert "No problems." in out
    assert "warning" not in quiet


# -- the user's own sheet, marked -------------------------------------------------------------------------------------


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


def test_one_problem_is_spoken_of_as_one(tmp_path: Path) -> None:
    """Also of one document: `check`, and `run` that does not start."""
    project = make_project(tmp_path / "p", [row("F001", qty="x"), row("F002")])
    out = command("check", "mapping.yaml", cwd=project)[1]
    ran = command("run", "mapping.yaml", cwd=project)[1]

    assert "1 document ready, 1 invalid, 0 left out." in out
    assert "1 problem. Correct it and check again. --report DIR writes the sheet with it marked." in out
    assert "1 problem, so nothing was sent. Correct it and run again. --skip-invalid sends the 1 good document" in ran


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


# -- the same everywhere ----------------------------------------------------------------------------------------------


def test_machine_locale_and_time_zone_change_no_problem(tmp_path: Path) -> None:
    """C10, C13: the same sheet has the same problems in the same words, byte for byte, wherever it is checked."""
    project = copy_sample("with-mistakes", tmp_path)
    places: list[dict[str, str]] = [
        {"TZ": "Asia/Tokyo", "LC_ALL": "C"},
        {"TZ": "America/Los_Angeles", "LC_ALL": "nb_NO.UTF-8"},
        {"TZ": "Europe/Oslo", "LANG": "en_US.UTF-8"},
    ]
    found = {program("check", "mapping.yaml", "--json", cwd=project, **where).stdout for where in places}

    assert len(found) == 1
    assert len(json.loads(found.pop())["problems"]) == 29


def test_check_and_report_hold_every_row_of_a_large_sheet(tmp_path: Path) -> None:
    """R7: the report of 5,000 rows, each second of them wrong, names each of them once."""
    rows = [row(f"F{n:05}", qty="x" if n % 2 else 1) for n in range(5000)]
    project = make_project(tmp_path / "p", rows)
    command("check", "mapping.yaml", "--report", "report", cwd=project)
    results = json.loads((project / "report" / "results.json").read_text(encoding="utf-8"))

    assert [count["rows"] for count in results["counts"].values() if count["rows"]] == [2500, 2500]
    assert len({row for document in results["documents"] for row in document["rows"]}) == 5000
