"""`check` shows everything at once: causes, then each; as text and as JSON, the same everywhere."""

import ast
import json
import re
from pathlib import Path

import openpyxl
import pytest
from checks import check_json, good, row
from conftest import PlanOf
from end_to_end import (
    HEADERS,
    MAPPING,
    ROOT,
    command,
    copy_sample,
    make_project,
    program,
    write_workbook,
)
from terminal import seen

from importer.grouping import TITLES, causes
from importer.report import marks


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
    lines = seen("check", "mapping.yaml", cwd=project)
    piped = program("check", "mapping.yaml", cwd=project).stdout

    assert [line for line in lines if len(line) > 80 and " " in line.strip()[:76]] == []
    assert " ".join(" ".join(lines).split()) == " ".join(piped.split())
    assert any(len(line) > 150 for line in piped.splitlines())


def test_one_problem_is_spoken_of_as_one(tmp_path: Path) -> None:
    """Also of one document: `check`, and `run` that does not start."""
    project = make_project(tmp_path / "p", [row("F001", qty="x"), row("F002")])
    out = command("check", "mapping.yaml", cwd=project)[1]
    ran = command("run", "mapping.yaml", cwd=project)[1]

    assert "1 document ready, 1 invalid, 0 left out." in out
    assert "1 problem. Correct it and check again. --report DIR writes the sheet with it marked." in out
    assert "1 problem, so nothing was sent. Correct it and run again. --skip-invalid sends the 1 good document" in ran


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
