"""Cases of failure-cases.md about documents and reports that no other file proves: each named by its id."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from conftest import PlanOf
from end_to_end import MAPPING, RawServer, command, error, import_into, make_project, run_here, write_workbook

from importer.model import Status
from importer.plan import Plan

DAY = date(2025, 1, 27)


def row(key: Any, *, customer: Any = "10000", text: Any = "Kaffe", qty: Any = 2, price: Any = 10) -> Any:
    """Return one row of the sheet Invoices."""
    return (key, customer, DAY, text, qty, price)


def codes(plan: Plan) -> list[tuple[int | None, str | None, str]]:
    """Return row, column and code of each problem."""
    return [(problem.row, problem.column, problem.code) for problem in plan.problems]


def invoices(**fields: Any) -> dict[str, Any]:
    """Return a mapping of invoices whose only line is the column Text."""
    return {
        "version": 1,
        "endpoint": "customerInvoice.create",
        "key": "Key",
        "fields": {"externalReference": "Key", **fields},
        "lines": {"description": "Text"},
    }


@pytest.mark.parametrize("text", ["1,23E+15", "1.23457E+15", "1E+15", "9,87654E+18"])
def test_c4_a_number_that_excel_shortened_is_no_identifier(plan_of: PlanOf, text: str) -> None:
    """C4: scientific notation in a text column lost its digits before it came here."""
    plan = plan_of(invoices(paymentReference="KID"), [["Key", "Text", "KID"], ["F1", "Kaffe", text]])

    assert codes(plan) == [(2, "KID", "shortened_number")]


@pytest.mark.parametrize("text", ["1E5", "12E3", "E+15", "1e15", "A1E+15"])
def test_c4_an_item_number_that_holds_an_e_is_text(plan_of: PlanOf, text: str) -> None:
    """C4, C15: only what Excel itself writes for a long number is refused."""
    plan = plan_of(invoices(paymentReference="KID"), [["Key", "Text", "KID"], ["F1", "Kaffe", text]])

    assert json.loads(plan.documents[0].body)["paymentReference"] == {"value": text}


def test_c15_what_excel_turned_into_a_date_is_no_item_number(plan_of: PlanOf) -> None:
    """C15: `6-15` and `MARCH1` became dates in Excel; the cell is named, nothing is written for it."""
    mapping = invoices()
    mapping["lines"] = {"inventoryNumber": "Item"}
    plan = plan_of(mapping, [["Key", "Item"], ["F1", date(2025, 6, 15)], ["F2", "6-15"]])

    assert codes(plan) == [(2, "Item", "date_in_text")]
    assert b'"6-15"' in plan.documents[1].body


@pytest.mark.parametrize(
    ("cell", "number", "text"),
    [
        (None, None, None),
        (" ", None, None),
        ("\u00a0", None, None),
        ("-", "not_a_number", "-"),
        ("NULL", "not_a_number", "NULL"),
        ("0", "0", "0"),
    ],
)
def test_c19_a_blank_is_omitted_and_nothing_else_is_taken_for_a_blank(
    plan_of: PlanOf, cell: Any, number: str | None, text: str | None
) -> None:
    """C19: `-`, `NULL` and 0 are what they are, in a text field as they stand and in a number field a problem."""
    mapping = invoices(note="Cell")
    rows = [["Key", "Text", "Cell"], ["F1", "Kaffe", cell]]
    body = json.loads(plan_of(mapping, rows).documents[0].body)
    mapping["lines"]["quantity"] = "Cell"
    del mapping["fields"]["note"]
    plan = plan_of(mapping, rows)

    assert body.get("note", {}).get("value") == text
    if number == "not_a_number":
        assert codes(plan) == [(2, "Cell", "not_a_number")]
    else:
        quantity = json.loads(plan.documents[0].body)["invoiceLines"][0].get("quantity", {}).get("value")
        assert quantity == (None if number is None else int(number))


@pytest.mark.parametrize(
    ("policy", "value"),
    [({}, None), ({"blank": "clear"}, ""), ({"default": "none"}, "none"), ({"blank": "error"}, "!")],
)
def test_c19_three_policies_say_what_a_blank_does(plan_of: PlanOf, policy: dict[str, str], value: str | None) -> None:
    """C19: left out, cleared, replaced or refused, as the mapping says and never otherwise."""
    plan = plan_of(invoices(note={"column": "Cell", **policy}), [["Key", "Text", "Cell"], ["F1", "Kaffe", None]])

    if value == "!":
        assert codes(plan) == [(2, "Cell", "required")]
    else:
        assert json.loads(plan.documents[0].body).get("note", {}).get("value") == value


def test_c31_hidden_rows_stop_the_run_until_the_mapping_speaks(tmp_path: Path) -> None:
    """C31: by default they are counted, and the remedies named; nothing is sent."""
    project = make_project(tmp_path / "p", [row(f"F{n}") for n in range(5)])
    book = openpyxl.load_workbook(project / "invoices.xlsx")
    for number in (3, 5):
        book["Invoices"].row_dimensions[number].hidden = True
    book.save(project / "invoices.xlsx")
    code, out, _ = command("run", "mapping.yaml", "--skip-invalid", cwd=project)

    assert code == 3
    assert "rows 3, 5" in out
    assert "hidden_rows: include or skip" in out
    assert not (project / "reports").exists()


def test_c34_a_long_text_is_never_cut_and_is_refused_where_the_mapping_sets_a_limit(plan_of: PlanOf) -> None:
    """C34: the API declares no lengths; 300 letters go out whole, or are a problem by the mapping's own pattern."""
    mapping: dict[str, Any] = {"version": 1, "endpoint": "customer.create", "key": "Key", "fields": {"number": "Key"}}
    rows = [["Key", "Name"], ["10001", "x" * 300], ["10002", "Fjordgløtt AS"]]
    mapping["fields"]["name"] = "Name"
    whole = plan_of(mapping, rows)
    mapping["fields"]["name"] = {"column": "Name", "pattern": ".{1,60}"}
    limited = plan_of(mapping, rows)

    assert json.loads(whole.documents[0].body)["name"]["value"] == "x" * 300
    assert codes(limited) == [(2, "Name", "pattern")]
    assert [document.status for document in limited.documents] == [Status.INVALID, None]


def test_p1_a_bad_line_holds_the_whole_document(tmp_path: Path) -> None:
    """P1: line 3 of 5 is wrong: with --skip-invalid the document stays behind whole, and the others go out."""
    rows = [*(row("F1", qty="x" if n == 3 else 1) for n in range(1, 6)), row("F2")]
    ran = run_here(make_project(tmp_path / "p", rows), "--skip-invalid")

    assert (ran.code, ran.counts) == (4, {"accepted": 1, "invalid": 1})
    assert ran.document("F1")["rows"] == [2, 3, 4, 5, 6]


def test_p2_rows_that_disagree_name_both_cells(tmp_path: Path) -> None:
    """P2: neither the first nor the last row wins."""
    project = make_project(tmp_path / "p", [row("F1"), row("F1", customer="10001")])
    data = json.loads(command("check", "mapping.yaml", "--json", cwd=project)[1])
    (problem,) = data["problems"]

    assert problem["code"] == "header_conflict"
    assert "'10001' in B3 and '10000' in B2" in problem["message"]


def test_p3_rows_of_one_key_are_one_document_wherever_they_stand(tmp_path: Path) -> None:
    """P3: a key that comes again later in the sheet is not a second document."""
    ran = run_here(make_project(tmp_path / "p", [row("F1"), row("F2"), row("F1", text="Frakt")]))

    assert ran.counts == {"accepted": 2}
    assert ran.document("F1")["rows"] == [2, 4]


def test_p4_lists_of_different_length_stay_as_long_as_they_are(plan_of: PlanOf) -> None:
    """P4: five lines and two attributes make neither five attributes nor two lines."""
    mapping = {
        "version": 1,
        "endpoint": "customer.create",
        "key": "Key",
        "fields": {
            "number": "Key",
            "name": "Name",
            "attributeLines": [
                {"attributeId": {"value": "REGION"}, "attributeValue": "Region"},
                {"attributeId": {"value": "CHAIN"}, "attributeValue": "Chain"},
                {"attributeId": {"value": "SIZE"}, "attributeValue": "Size"},
            ],
        },
    }
    rows = [["Key", "Name", "Region", "Chain", "Size"], ["10001", "A", "Nord", None, "L"], ["10002", "B", *[None] * 3]]
    first, second = (json.loads(document.body) for document in plan_of(mapping, rows).documents)
    invoice = plan_of(invoices(), [["Key", "Text"], *[["F1", f"Line {n}"] for n in range(5)]]).documents[0]

    assert len(first["attributeLines"]) == 2
    assert "attributeLines" not in second
    assert len(json.loads(invoice.body)["invoiceLines"]) == 5


@pytest.mark.parametrize(
    ("endpoint", "quantity", "told"),
    [
        ("customerInvoice.create", -2, True),
        ("customerCreditNote.create", -2, True),
        ("customerInvoice.create", 2, False),
        ("customerCreditNote.create", 2, False),
    ],
)
def test_p6_a_document_below_zero_goes_out_as_it_is_and_is_warned_of(
    plan_of: PlanOf, endpoint: str, quantity: int, told: bool
) -> None:
    """P6: no sign is ever turned round; that a sum is below zero is said before anything is sent."""
    lines = {"description": "Text", "quantity": "Qty", "unitPriceInCurrency": "Price"}
    mapping = {**invoices(), "endpoint": endpoint, "lines": lines}
    plan = plan_of(mapping, [["Key", "Text", "Qty", "Price"], ["F1", "Kaffe", quantity, 10], ["F1", "Rabatt", -1, 1]])
    warnings = [warning for warning in plan.warnings if warning.code == "negative_document"]

    assert plan.problems == ()
    assert len(warnings) == told
    assert f'"quantity": {{"value": {quantity}}}'.encode() in plan.documents[0].body


def test_r2_one_refused_document_of_many_is_no_success(tmp_path: Path) -> None:
    """R2: exit 4 for one refusal among twenty, told apart from a run that could not start (3) and from success (0)."""
    rows = [row(f"F{n}", customer="98765" if n == 7 else "10000") for n in range(20)]
    project = make_project(tmp_path / "p", rows)
    ran = run_here(project)
    write_workbook(project / "invoices.xlsx", [row(f"F{n}", customer="10000") for n in range(20)])
    again = run_here(project)

    assert (ran.code, ran.counts) == (4, {"accepted": 19, "rejected": 1})
    assert (again.code, again.counts) == (0, {"accepted": 1, "already_accepted": 19})


def test_r4_rows_that_were_not_sent_have_four_different_reasons(tmp_path: Path) -> None:
    """R4: left out, blank, accepted before and refused are told apart in one run, and every row is accounted for."""
    mapping = MAPPING.replace("key:", "where: \"{{ row['Text'] != 'Void' }}\"\nkey:")
    project = make_project(tmp_path / "p", [row("F1")], mapping)
    run_here(project)
    rows = [row("F1"), row("F2", text="Void"), (None,) * 6, row("F3", customer="98765"), row("F4")]
    write_workbook(project / "invoices.xlsx", rows)
    ran = run_here(project)
    sheet = openpyxl.load_workbook(ran.folder / "results.xlsx")["Invoices"]
    told = [(sheet.cell(number, 7).value, sheet.cell(number, 9).value) for number in range(2, 7)]

    assert [status for status, _ in told] == ["already_accepted", "filtered", "filtered", "rejected", "accepted"]
    assert len({message for _, message in told[:4]}) == 4
    assert all(message for _, message in told[:4])


def test_r6_a_long_refusal_and_many_mistakes_of_one_row_are_kept_whole(tmp_path: Path) -> None:
    """R6: 8,000 characters of the API's and four mistakes of one row stand in the JSON; the sheet begins with them."""
    long = "Feltet er ugyldig. " * 420 + "SLUTT"
    project = make_project(tmp_path / "p", [row("F1")])
    with RawServer(lambda _number, _request: error(400, long)) as server:
        ran = import_into(project, server.base_url)
    wrong = make_project(tmp_path / "q", [("F1", 7, "31.02.2025", True, "x", "y")])
    data = json.loads(command("check", "mapping.yaml", "--json", cwd=wrong)[1])
    sheet = openpyxl.load_workbook(ran.folder / "results.xlsx")["Invoices"]

    assert ran.document("F1")["message"].count("Feltet er ugyldig.") == 420
    assert "SLUTT" in ran.document("F1")["message"]
    assert "Feltet er ugyldig." in sheet["I2"].value
    assert {problem["column"] for problem in data["problems"]} == {"Customer", "Date", "Text", "Qty", "Unit price"}


def test_c7_amounts_of_templates_have_no_float_tails(plan_of: PlanOf) -> None:
    """C7: 0.1 + 0.2 is 0.3 and 1234567.1 times 3 is 3703701.3, in a field's template and from cells."""
    mapping = invoices()
    mapping["lines"] = {"quantity": {"template": "{{ row['A'] + row['B'] }}"}, "unitPriceInCurrency": "C"}
    rows = [["Key", "A", "B", "C"], ["F1", 0.1, 0.2, 1234567.1], ["F2", 1234567.1 * 3, 0, 0.1]]
    bodies = [document.body.decode() for document in plan_of(mapping, rows).documents]
    lines = [json.loads(body, parse_float=Decimal)["invoiceLines"][0] for body in bodies]

    assert str(lines[0]["quantity"]["value"]) == "0.3"
    assert str(lines[0]["unitPriceInCurrency"]["value"]) == "1234567.1"
    assert str(lines[1]["quantity"]["value"]) == "3703701.3"
