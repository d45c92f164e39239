"""Golden cases: each folder of `cases/` is a mapping, a sheet, and the bodies or problems that must come of them.

Anyone can add a case by adding a folder; nothing here has to change. A folder holds

- `mapping.yaml`, and a body template beside it where the mapping names one;
- `rows.json`: `{"sheet": NAME, "rows": [[header, ...], [cell, ...], ...]}`, which is written to a real .xlsx. A cell is
  a text, a number, `null` for a blank, `{"date": "2025-01-27"}`, `{"date": "2025-01-27T10:30:00"}`, `{"bool": true}`,
  `{"error": "#N/A"}`, or `{"number": "0.30000000000000004", "format": "0.00"}`, whose digits stand in the file as they
  are here. A `workbook.xlsx` in the folder is taken instead;
- `params.json`, optional: the parameters as the command line gives them, `{name: text}`;
- `expected.json`: any of `bodies` (`{key: body}`, all that can be sent), `problems` (`[{row, column, value, code}]`, in
  the order they are shown; none when it is left out), `totals` (`{name: text}`), `filtered` (row numbers) and
  `warnings` (codes).

Bodies are compared as JSON, their numbers as text: 1.50 is not 1.5.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from importer import workbook
from importer.mapping import parameter_values
from importer.mapping_file import read_mapping
from importer.model import Status
from importer.plan import Plan, make_plan

HERE = Path(__file__).parent
CASES = sorted(folder for folder in (HERE / "cases").iterdir() if folder.is_dir())
SAMPLES = sorted(mapping.parent for mapping in (HERE.parent / "samples").glob("*/mapping.yaml"))
EXPECTATIONS = {"bodies", "problems", "totals", "filtered", "warnings"}


@dataclass(frozen=True)
class Number:
    """Hold a number of a body as the text that stands there."""

    text: str


def parse(text: str | bytes) -> Any:
    """Return JSON as data whose numbers are texts of their own type."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def fill_cell(cell: Any, content: Any) -> None:
    """Write one cell of `rows.json`."""
    kind, value = next(iter(content.items())) if isinstance(content, dict) else (type(content).__name__, content)
    if kind == "number":
        cell.value = value
        cell.data_type, cell.number_format = "n", content.get("format", "General")
    elif kind == "date":
        cell.value = datetime.fromisoformat(value)
        cell.number_format = "yyyy-mm-dd hh:mm" if "T" in value else "yyyy-mm-dd"
    else:
        cell.value = value
        if kind == "str":
            cell.data_type, cell.number_format = "s", "@"


def write_workbook(case: Path, folder: Path) -> Path:
    """Return the case's workbook: its own, or one written from `rows.json`."""
    own = case / "workbook.xlsx"
    if own.exists():
        return own
    content = json.loads((case / "rows.json").read_text(encoding="utf-8"))
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = content["sheet"]
    for row, cells in enumerate(content["rows"], start=1):
        for column, cell in enumerate(cells, start=1):
            if cell is not None:
                fill_cell(sheet.cell(row, column), cell)
    file = folder / "workbook.xlsx"
    book.save(file)
    return file


def plan_of(folder: Path, file: Path | None = None, params: dict[str, str] | None = None) -> Plan:
    """Return the plan that a folder's mapping makes of a workbook, by default its own."""
    mapping = read_mapping(folder / "mapping.yaml")
    spec = mapping.workbook
    found = file or spec.file
    assert found is not None
    sheet = workbook.read(found, sheet=spec.sheet, header_row=spec.header_row)
    return make_plan(mapping, sheet, parameter_values(mapping, params or {}))


def shown(plan: Plan) -> dict[str, Any]:
    """Return everything of a plan that a case may expect."""
    return {
        "bodies": {
            document.key: parse(document.body or b"{}") for document in plan.documents if document.status is None
        },
        "problems": [
            {"row": problem.row, "column": problem.column, "value": problem.value, "code": problem.code}
            for problem in plan.problems
        ],
        "totals": {total.name: f"{total.sum:f}" for total in plan.totals if total.sum is not None},
        "filtered": [row for doc in plan.documents if doc.status is Status.FILTERED for row in doc.rows],
        "warnings": [warning.code for warning in plan.warnings],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path, tmp_path: Path) -> None:
    expected = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    assert set(expected) <= EXPECTATIONS
    assert {"bodies", "problems"} & set(expected), "a case expects bodies or problems"
    params = case / "params.json"
    given = json.loads(params.read_text(encoding="utf-8")) if params.exists() else {}
    found = shown(plan_of(case, write_workbook(case, tmp_path), given))
    wanted = {"problems": [], **expected}
    if "bodies" in expected:
        wanted["bodies"] = parse((case / "expected.json").read_bytes())["bodies"]
    assert {name: found[name] for name in wanted} == wanted


def test_numbers_are_compared_as_text() -> None:
    assert parse("1.50") != parse("1.5")
    assert parse("1") != parse('"1"')
    assert parse("1.50") == parse("1.50")


@pytest.mark.parametrize("folder", [s for s in SAMPLES if s.name != "with-mistakes"], ids=lambda folder: folder.name)
def test_sample_has_no_problem(folder: Path) -> None:
    plan = plan_of(folder)
    assert plan.problems == ()
    assert plan.warnings == ()
    assert any(document.status is None for document in plan.documents)


def test_sample_with_mistakes_shows_many_kinds_at_once() -> None:
    plan = plan_of(next(s for s in SAMPLES if s.name == "with-mistakes"))
    assert len({problem.code for problem in plan.problems}) >= 22
    assert any(document.status is None for document in plan.documents)
    for problem in plan.problems:
        assert problem.sheet == "Fakturaer"
        assert problem.message.endswith((".", "?"))
    placeless = {problem.code for problem in plan.problems if problem.row is None or problem.column is None}
    assert placeless <= {"hidden_rows", "number_twice", "total_mismatch"}
