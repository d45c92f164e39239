"""`check` warns of what is odd and holds nothing back by it."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from checks import DAY, check_json, good, row
from conftest import PlanOf
from end_to_end import (
    HEADERS,
    MAPPING,
    command,
    make_project,
)

from importer import workbook
from importer.blank_mark import PROPERTY
from importer.mapping_file import read_mapping
from importer.model import Problem
from importer.plan import Plan, make_plan


def warned(plan: Plan, code: str) -> list[Problem]:
    """Return the warnings of one kind."""
    return [warning for warning in plan.warnings if warning.code == code]


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


def test_a_word_for_nothing_that_stays_text_is_warned_of(tmp_path: Path) -> None:
    """DESIGN 2: what is typed stays text; who expects null to be nothing, as editors do, is told. Quotes say it."""
    project = make_project(tmp_path / "p", [row("F1")])
    file = project / "mapping.yaml"
    text = MAPPING.replace("fields:\n", "fields:\n  note: {value: null}\n  invoiceText: {value: 'null'}\n")
    file.write_text(text, encoding="utf-8")
    plan = make_plan(read_mapping(file), workbook.read(project / "invoices.xlsx", sheet="Invoices"), {})
    (warning,) = warned(plan, "null_as_text")

    assert warning.message.startswith("'value' (mapping.yaml, line 7) is the text 'null', not nothing")
    assert "quotes" in warning.message
    assert plan.problems == ()


@pytest.mark.parametrize(
    ("mapping", "references", "said"),
    [
        (
            MAPPING,
            ["A", None],
            ["1 of 2 documents", "while it was", "for it there. Fill in externalReference in row 3."],
        ),
        (MAPPING, [None], ["The document could", "Fill in externalReference in row 2."]),
        (MAPPING, [None] * 2, ["The 2 documents", "while they were", "for them there. Fill in", "in rows 2-3."]),
        (
            MAPPING.replace("  externalReference: Invoice no\n", "  note: Reference\n"),
            ["A"],
            ["Map externalReference or referenceNumber to a column of its own."],
        ),
        (MAPPING.replace("  customerNumber: Customer\n", ""), ["A"], ["Map customerNumber to a column of its own."]),
        (f"{MAPPING}template: own.j2\n", ["A"], ["Fill in externalReference in row 2, and see that own.j2 writes it."]),
    ],
    ids=["one of two", "the only one", "both", "not mapped", "no customer", "own template"],
)
def test_what_could_not_be_found_again_is_told_with_what_is_lacking(
    tmp_path: Path, plan_of: Any, mapping: str, references: list[str | None], said: list[str]
) -> None:
    """A field that is mapped already is not to be mapped, but to be filled in."""
    (tmp_path / "own.j2").write_text('{"note": {"value": {{ key }}}}', encoding="utf-8")
    mapping = mapping.replace("workbook: {file: invoices.xlsx, sheet: Invoices}\n", "")
    mapping = mapping.replace("externalReference: Invoice no", "externalReference: Reference")
    rows = [(*row(f"F{number}"), reference) for number, reference in enumerate(references)]
    (warning,) = warned(plan_of(mapping, [(*HEADERS, "Reference"), *rows]), "cannot_be_found")

    assert [part for part in said if part not in warning.message] == [], warning.message


def test_total_rows_and_notes_below_the_rows_are_warned_of(plan_of: PlanOf) -> None:
    """The API will refuse a document without what it needs: it may be no document at all."""
    fields = "fields: {customerNumber: Cust, externalReference: No}\n"
    mapping, lines = f"version: 1\nendpoint: customerInvoice.create\nkey: No\n{fields}", "lines: {quantity: Qty}\n"
    rows = [["No", "Cust", "Qty"], ["1", "0101", 1], ["2", "0101", 2], ["Sum", None, 3], ["Amounts in NOK", None, None]]
    (found,) = warned(plan_of(mapping + lines, rows), "needed_field")
    left_out = mapping.replace("key:", "where: \"{{ row['Cust'] != '' }}\"\nkey:")
    changed = mapping.replace("create", "update").replace(", externalReference: No", "")

    assert (found.row, found.column) == (4, "Cust")
    assert "refuse the customerInvoice documents of rows 4-5: they have no customerNumber" in found.message
    for other in (left_out, mapping.replace("Cust,", "{value: 0101},"), changed):
        assert warned(plan_of(other + lines, rows), "needed_field") == []


def test_a_template_of_ones_own_may_give_what_the_api_needs(plan_of: PlanOf, tmp_path: Path) -> None:
    """What it makes of a blank cell is its own business."""
    body = '{"name": {"value": {{ key if fields.name is sameas absent else fields.name }}}}'
    (tmp_path / "own.json.j2").write_text(body, encoding="utf-8")
    mapping = "version: 1\nendpoint: customer.create\nkey: No\nfields: {name: Name, number: No}\n"
    rows = [["No", "Name"], ["1", None]]
    own = plan_of(f"{mapping}template: own.json.j2\n", rows)

    assert own.documents[0].body == b'{"name": {"value": "1"}}'
    assert warned(own, "needed_field") == []
    assert [found.column for found in warned(plan_of(mapping, rows), "needed_field")] == ["Name"]
