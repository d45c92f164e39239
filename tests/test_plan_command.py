"""`plan` shows what a run would do: each document, how much by currency, the first and the last in full, how long."""

import json
import os
import pty
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
from end_to_end import (
    MAPPING,
    ROOT,
    aim,
    attempts,
    command,
    environment,
    invoice_rows,
    make_project,
    program_here,
    run_here,
    write_workbook,
)

from importer.sandbox import Sandbox, inspect

SCHEMA = json.loads((ROOT / "schemas" / "plan.schema.json").read_text(encoding="utf-8"))
HEADERS = ("Invoice no", "Customer", "Date", "Text", "Qty", "Unit price", "Currency", "Amount")
CURRENCIES = MAPPING.replace("documentDate: Date", "documentDate: Date\n  currencyId: Currency") + (
    "totals:\n  - {name: Net, sum: Amount}\n  - {name: Pieces, sum: Qty}\n"
)


def row(key: str, qty: Any, price: str, currency: str) -> Any:
    """Return one row of a sheet with currencies."""
    amount = Decimal(price) * qty if isinstance(qty, int) else Decimal(0)
    return (key, "10000", date(2025, 1, 27), "Kaffe", qty, Decimal(price), currency, amount)


def with_currencies(folder: Path, rows: list[Any], mapping: str = CURRENCIES) -> Path:
    """Make a project whose sheet has currencies and amounts."""
    project = make_project(folder, [], mapping)
    write_workbook(project / "invoices.xlsx", rows, HEADERS)
    return project


def plan_json(project: Path, *more: str) -> Any:
    """Return what `plan --json` prints, held against its schema."""
    code, out, error = command("plan", "mapping.yaml", "--json", *more, cwd=project)
    data = json.loads(out)
    jsonschema.Draft7Validator(SCHEMA).validate(data)
    assert (data["exit_code"], error) == (code, "")
    return data


def amounts(data: Any) -> dict[tuple[str, str | None], dict[str, Any]]:
    """Return the amounts of a plan by name and currency."""
    return {(one["name"], one["currency"]): one for one in data["amounts"]}


def test_each_document_is_sent_skipped_or_blocked_with_its_reason(tmp_path: Path) -> None:
    """Accepted before, corrected since, wrong, new and left out: each is told apart, and why."""
    mapping = MAPPING.replace("key:", "where: \"{{ row['Text'] != 'No' }}\"\nkey:")
    rows = invoice_rows(2)
    project = make_project(tmp_path / "p", rows, mapping)
    run_here(project)
    wrong, left = [(f"F00{number}", *rows[0][1:]) for number in (61, 62)]
    again = [rows[0], (*rows[1][:4], 7, rows[1][5]), (*wrong[:4], "x", wrong[5]), (*left[:3], "No", *left[4:])]
    write_workbook(project / "invoices.xlsx", [*again, ("F0063", *rows[0][1:5], 3)])
    data = plan_json(project)
    shown = command("plan", "mapping.yaml", cwd=project)[1]

    assert [(one["key"], one["action"], one["status"]) for one in data["plan"]] == [
        ("F0001", "skip", "already_accepted"),
        ("F0002", "blocked", "changed"),
        ("F0061", "blocked", "invalid"),
        ("F0062", "skip", "filtered"),
        ("F0063", "send", None),
    ]
    assert re.search(r"blocked F0061  \(row 4\)\n        Not a number: Qty\.", shown)
    assert "'where' leaves the row out" in shown
    assert "send 1, skip 2, blocked 2" in shown
    assert "A run would not start: 1 problem" in shown
    assert data["exit_code"] == 3


def test_what_changed_since_the_accepted_version_is_told_as_far_as_it_is_known(tmp_path: Path) -> None:
    """The journal keeps amount, lines, date and customer; of another field it knows only that the content differs."""
    rows = invoice_rows(2)
    project = make_project(tmp_path / "p", rows)
    ran = run_here(project)
    changed = [(*rows[0][:4], 7, rows[0][5]), rows[0], (*rows[1][:3], "Te", *rows[1][4:])]
    write_workbook(project / "invoices.xlsx", changed)
    found = {one["key"]: one["changes"] for one in plan_json(project)["plan"]}

    assert "lines 1 -> 2, net amount 39.8 -> 179.1." in found["F0001"]
    assert ran.run_id in found["F0001"]
    assert "a field that the journal does not keep" in found["F0002"]


def test_totals_stand_by_currency_from_the_sheet_and_from_the_bodies(tmp_path: Path) -> None:
    """P5: what the sheet adds up to, what goes out of it, and what the rendered bodies hold, per currency, exactly."""
    rows = [row("F1", 2, "19.90", "NOK"), row("F1", 1, "0.01", "NOK"), row("F2", 3, "100.10", "EUR")]
    project = with_currencies(tmp_path / "p", rows)
    data = plan_json(project)
    found = amounts(data)
    shown = command("plan", "mapping.yaml", cwd=project)[1]

    assert {name: (Decimal(one["send"]), one["bodies"]) for name, one in found.items()} == {
        ("Net", None): (Decimal("340.11"), None),
        ("Net", "EUR"): (Decimal("300.30"), None),
        ("Net", "NOK"): (Decimal("39.81"), None),
        ("Pieces", None): (Decimal(6), "6"),
        ("Pieces", "EUR"): (Decimal(3), "3"),
        ("Pieces", "NOK"): (Decimal(3), "3"),
        ("Quantity x unit price", "EUR"): (Decimal("300.30"), "300.3"),
        ("Quantity x unit price", "NOK"): (Decimal("39.81"), "39.81"),
    }
    assert Decimal(found["Net", None]["sheet"]) == Decimal("340.11")
    assert re.search(r"Net +340\.11 +340\.11 +-", shown)
    assert re.search(r"Quantity x unit price NOK +- +39\.81 +39\.81", shown)


def test_the_sheet_adds_up_over_currencies_and_actions(tmp_path: Path) -> None:
    """P5: the sheet's sum is that of its currencies, each is sent, skipped or blocked, also what --limit leaves out."""
    rows = [row("F1", 2, "19.90", "NOK"), row("F2", 3, "100.10", "EUR"), row("F3", 1, "7.00", "NOK")]
    project = with_currencies(tmp_path / "p", rows)
    whole, part = (amounts(plan_json(project, *more)) for more in ((), ("--limit", "1")))
    numbers = {
        name: [Decimal(one[part]) for part in ("sheet", "send", "skip")]
        for name, one in part.items()
        if name[0] == "Net"
    }

    assert {name[1]: Decimal(one["sheet"]) for name, one in whole.items() if name[0] == "Net"} == {
        None: Decimal("347.10"),
        "NOK": Decimal("46.80"),
        "EUR": Decimal("300.30"),
    }
    assert numbers == {
        ("Net", None): [Decimal("347.10"), Decimal("39.80"), Decimal("307.30")],
        ("Net", "NOK"): [Decimal("39.80"), Decimal("39.80"), 0],
        ("Net", "not known"): [Decimal("307.30"), 0, Decimal("307.30")],
    }


def test_a_total_that_cannot_be_added_up_says_of_what(tmp_path: Path) -> None:
    """A text among the numbers of a column: what it keeps from being known is named, the rest is added up."""
    project = with_currencies(tmp_path / "p", [row("F1", 2, "19.90", "NOK"), row("F2", "x", "1", "NOK")])
    shown = command("plan", "mapping.yaml", "-o", "plan.xlsx", cwd=project)[1]
    totals = openpyxl.load_workbook(project / "plan.xlsx")["Totals"].iter_rows(values_only=True)

    assert re.search(r"Pieces +- +2\.00 +2\.00\n  cannot be added up, a cell is no number: sheet, blocked\n", shown)
    assert next(cells[3:8] for cells in totals if cells[0] == "Pieces") == ("not known", 2, 0, "not known", 2)


def test_no_name_of_a_total_is_cut(tmp_path: Path) -> None:
    """The currency stands at its end: cut off, two totals would look the same."""
    mapping = CURRENCIES.replace("name: Net,", "name: Net amount of what was delivered,")
    project = with_currencies(
        tmp_path / "p", [row("F1", 2, "19.90", "NOK")], mapping.replace("  currencyId: Currency\n", "")
    )
    shown = command("plan", "mapping.yaml", cwd=project)[1]

    assert re.search(r"^Net amount of what was delivered\n +39\.80 +39\.80", shown, re.MULTILINE)
    assert re.search(r"^Quantity x unit price in the customer's currency\n +- +39\.80 +39\.80", shown, re.MULTILINE)


def test_totals_tell_what_is_skipped_and_what_is_blocked(tmp_path: Path) -> None:
    """The sheet's sum is what is sent, skipped and blocked together, so that nothing is unaccounted for."""
    first = [row("F1", 1, "10.00", "NOK"), row("F2", 1, "20.00", "NOK")]
    project = with_currencies(tmp_path / "p", first)
    run_here(project)
    later = [first[0], row("F2", 1, "21.00", "NOK"), row("F3", 1, "40.00", "NOK")]
    write_workbook(project / "invoices.xlsx", later, HEADERS)
    net = amounts(plan_json(project))["Net", None]

    assert [Decimal(net[name]) for name in ("sheet", "send", "skip", "blocked")] == [71, 40, 10, 21]


def test_an_expected_total_that_differs_blocks(tmp_path: Path) -> None:
    """P5: a difference of 0.01 between sheet and expectation holds the whole run, also with --skip-invalid."""
    mapping = CURRENCIES.replace("sum: Amount}", "sum: Amount, expect: 10.01}")
    project = with_currencies(tmp_path / "p", [row("F1", 1, "10.00", "NOK")], mapping)
    code, out, _ = command("plan", "mapping.yaml", cwd=project)
    ran = command("run", "mapping.yaml", "--skip-invalid", cwd=project)[0]

    assert (code, ran) == (3, 3)
    assert "DIFFERS" in out
    assert "a difference of -0.01" in out
    assert inspect.writes(project / ".visma-import" / "sandbox") == 0


def test_what_is_wrong_with_the_whole_file_blocks_every_document(tmp_path: Path) -> None:
    """No document is told to go out that would not: on screen, for programs, in the workbook; one skipped stays so."""
    first = row("F1", 1, "10.00", "NOK")
    project = with_currencies(tmp_path / "p", [first])
    run_here(project)
    (project / "mapping.yaml").write_text(
        CURRENCIES.replace("sum: Amount}", "sum: Amount, expect: 9}"), encoding="utf-8"
    )
    write_workbook(project / "invoices.xlsx", [first, row("F2", 1, "20.00", "NOK")], HEADERS)
    data = plan_json(project)
    shown = command("plan", "mapping.yaml", "-o", "plan.xlsx", cwd=project)[1]
    totals = list(openpyxl.load_workbook(project / "plan.xlsx")["Totals"].iter_rows(values_only=True))

    assert [(one["key"], one["action"]) for one in data["plan"]] == [("F1", "skip"), ("F2", "blocked")]
    assert (data["send"], data["first"], amounts(data)["Net", None]["blocked"]) == (0, None, "20")
    why = "Held back by what is wrong with the file as a whole: Total is not what is expected: Amount."
    assert f"blocked F2  (row 3)\n        {why}\n" in shown
    assert "To sandbox: send 0, skip 1, blocked 1.\n" in shown
    assert "A run would not start: 1 problem.\n" in shown
    assert ("Start", "A run would not start before what is on the sheet Problems is corrected (1).") in [
        cells[:2] for cells in totals
    ]


def test_amounts_of_many_digits_stay_apart(tmp_path: Path) -> None:
    """Two numbers that touch would read as one."""
    project = with_currencies(tmp_path / "p", [row(f"F{n}", 1, "9876543210987.65", "NOK") for n in range(9)])
    shown = command("plan", "mapping.yaml", cwd=project)[1]

    assert re.search(r"^Net +88,888,888,898,888\.85 88,888,888,898,888\.85 +-$", shown, re.MULTILINE)


@pytest.mark.parametrize("expect", ["10.00", "10"])
def test_an_expected_total_that_agrees_is_told(tmp_path: Path, expect: str) -> None:
    """P5: 10 and 10.00 are the same amount."""
    mapping = CURRENCIES.replace("sum: Amount}", f"sum: Amount, expect: {expect}}}")
    project = with_currencies(tmp_path / "p", [row("F1", 1, "10.00", "NOK")], mapping)
    code, out, _ = command("plan", "mapping.yaml", cwd=project)

    assert code == 0
    assert "agrees" in out


def test_documents_whose_amount_visma_works_out_are_counted(tmp_path: Path) -> None:
    """A line without a price has the item's price in Visma: the total says that it does not know it."""
    mapping = MAPPING.replace("  unitPriceInCurrency: {column: Unit price, decimals: 2}\n", "")
    project = make_project(tmp_path / "p", invoice_rows(2), mapping)
    (amount,) = plan_json(project)["amounts"]

    assert (amount["unknown"], amount["bodies"]) == (2, "0")
    assert "and 2 whose amount Visma works out" in command("plan", "mapping.yaml", cwd=project)[1]
    assert "To send: 2 documents (2 whose amount Visma works out)." in command("run", "mapping.yaml", cwd=project)[1]


def test_the_first_and_the_last_document_are_shown_as_they_are_sent(tmp_path: Path) -> None:
    """R9, D12: what plan shows is what run sends, and planning leaves no trace."""
    project = make_project(tmp_path / "p", invoice_rows(3))
    data = plan_json(project)
    shown = command("plan", "mapping.yaml", cwd=project)[1]
    written = attempts(project) if (project / ".visma-import" / "journal.db").exists() else []
    run_here(project, "--workers", "1")
    held = [
        document["body"] for document in inspect.documents(project / ".visma-import" / "sandbox", "customerInvoice")
    ]

    assert written == []
    for example, body in ((data["first"], held[0]), (data["last"], held[-1])):
        sent = json.loads(example["body"], parse_float=Decimal)
        assert sent["externalReference"]["value"] == example["key"] == body["externalReference"]["value"]
        for line, kept in zip(sent["invoiceLines"], body["invoiceLines"], strict=True):
            assert {name: kept[name] for name in line if name != "operation"} | {"operation": "Insert"} == line
    assert "First document to send: F0001  (row 2)" in shown
    assert "Last document to send: F0003  (rows 4-5)" in shown
    assert re.search(r'customerNumber +"10001"', shown)
    assert re.search(r"unitPriceInCurrency +19\.9\n", shown)


def test_many_documents_are_capped_on_screen_and_whole_elsewhere(tmp_path: Path) -> None:
    """A plan of 300 documents can be read; the workbook and --json list all."""
    project = make_project(tmp_path / "p", invoice_rows(300))
    _, out, _ = command("plan", "mapping.yaml", "-o", "plan.xlsx", cwd=project)
    sheet = openpyxl.load_workbook(project / "plan.xlsx")["Documents"]

    assert len(out.splitlines()) < 80
    assert "... and 290 more: -o FILE.xlsx or --json lists them all" in out
    assert sheet.max_row == 301
    assert len(plan_json(project)["plan"]) == 300


def test_the_duration_says_what_it_was_reckoned_from(tmp_path: Path) -> None:
    """Documents, workers and measured time of one request; none where nothing is sent."""
    project = make_project(tmp_path / "p", invoice_rows(4))
    before = command("plan", "mapping.yaml", "--workers", "3", cwd=project)[1]
    run_here(project)
    after = command("plan", "mapping.yaml", cwd=project)[1]

    assert re.search(r"\(4 documents, 3 at a time, \d+\.\d\d s each\.\)", before)
    assert "at a time" not in after
    assert "send 0, skip 4, blocked 0" in after


def test_the_workbook_of_a_plan_can_be_filtered_and_added_up(tmp_path: Path) -> None:
    """R8: documents, totals and problems; amounts are numbers, and a text that begins with = stays text."""
    rows = [row("=1+1", 2, "19.90", "NOK"), row("F2", "x", "1", "NOK"), row("F3", 1, "-5.50", "EUR")]
    project = with_currencies(tmp_path / "p", rows)
    code, out, _ = command("plan", "mapping.yaml", "-o", "plan.xlsx", cwd=project)
    book = openpyxl.load_workbook(project / "plan.xlsx")
    documents = list(book["Documents"].iter_rows(min_row=2, values_only=True))
    totals = [cells for cells in book["Totals"].iter_rows(values_only=True) if cells[0] == "Quantity x unit price"]
    problem, warning = book["Problems"].iter_rows(min_row=2, values_only=True)

    assert (code, book.sheetnames) == (3, ["Documents", "Totals", "Problems"])
    assert "Plan: plan.xlsx" in out
    assert book["Documents"].auto_filter.ref == "A1:H4"
    assert [(one[0], one[1], one[6]) for one in documents] == [
        ("send", "=1+1", 39.8),
        ("blocked", "F2", None),
        ("send", "F3", -5.5),
    ]
    assert book["Documents"]["B2"].data_type == "s"
    assert [(one[2], one[7]) for one in totals] == [("EUR", -5.5), ("NOK", 39.8)]
    assert (problem[0], problem[2], problem[4]) == ("problem", "E3", "x")
    assert (warning[0], warning[1], warning[4]) == ("warning", "Document below zero", "-5.5")


@pytest.mark.parametrize("name", ["plan.pdf", "no-such-folder/plan.xlsx"])
def test_a_workbook_of_a_plan_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path, name: str) -> None:
    """The file's name and what is wrong with it; no traceback."""
    project = make_project(tmp_path / "p", invoice_rows(1))
    code, out, error = command("plan", "mapping.yaml", "-o", name, cwd=project)

    assert code == 3
    assert Path(name).name in error
    assert "Traceback" not in out + error
    assert "bug" not in out + error


def test_no_line_of_a_plan_is_wider_than_a_terminal(tmp_path: Path) -> None:
    """Tables and documents fit into 80 columns."""
    rows = [row(f"F{n:03}", 2, "1234567.89", "NOK" if n % 2 else "EUR") for n in range(4)]
    project = with_currencies(tmp_path / "p", rows)
    said = program_here("plan", "mapping.yaml", cwd=project).stdout

    assert [line for line in said.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(("answer", "sent"), [("n", 0), ("y", 3)])
def test_run_says_how_much_before_it_asks(tmp_path: Path, answer: str, sent: int) -> None:
    """Before anything goes to a company, people read how many documents and which amount, and can say no."""
    project = make_project(tmp_path / "p", invoice_rows(3))
    with Sandbox(tmp_path / "box") as box:
        aim(project, box.base_url)
        ours, theirs = pty.openpty()
        arguments = [sys.executable, "-m", "importer", "run", "mapping.yaml", "--target", "test"]
        with subprocess.Popen(
            arguments, cwd=project, env=environment(tmp_path), stdin=theirs, stdout=-1, stderr=-1
        ) as done:
            os.write(ours, f"{answer}\n".encode())
            out, err = (part.decode() for part in done.communicate(timeout=60))
        os.close(ours)
        os.close(theirs)

    assert inspect.writes(tmp_path / "box") == sent, out + err
    assert "Send 3 documents (268.40 in the customer's currency net) to test?" in err
    assert "To send: 3 documents" in out
    assert done.returncode == (0 if sent else 3)


@pytest.mark.parametrize("name", ["invoices.xlsx", "mapping.yaml"])
def test_a_plan_never_takes_the_place_of_what_it_is_made_of(tmp_path: Path, name: str) -> None:
    """The workbook and the mapping stay as they are."""
    project = make_project(tmp_path / "p", invoice_rows(1))
    before = (project / name).read_bytes()
    code, _out, error = command("plan", "mapping.yaml", "-o", name, cwd=project)

    assert (code, (project / name).read_bytes()) == (2, before)
    assert "Name another file" in error


def test_a_plan_is_written_for_review_as_markdown(tmp_path: Path) -> None:
    """Each document with what becomes of it, the totals, and what it was made from; no cell is more than text."""
    rows = [*invoice_rows(2), ("F|3", "10001", date(2025, 1, 27), "`<b>x</b>` @all", 1, 5)]
    project = make_project(tmp_path / "p", rows)
    code, out, _error = command("plan", "mapping.yaml", "-o", "review.md", cwd=project)
    told = (project / "review.md").read_text(encoding="utf-8")

    assert code == 0
    assert "Plan: review.md" in out
    assert [line.split(" | ")[:3] for line in told.splitlines() if line.startswith("| send | F")] == [
        ["| send", "F0001", "2"],
        ["| send", "F0002", "3"],
        ["| send", "F&#124;3", "4"],
    ]
    assert sha256((project / "invoices.xlsx").read_bytes()).hexdigest() in told
    assert "<b>" not in told
