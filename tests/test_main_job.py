"""The main job, end to end: from a workbook to accepted documents, once."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
import yaml
from end_to_end import (
    HEADERS,
    MAPPING,
    NUMBERED,
    ROOT,
    SAMPLES,
    command,
    copy_sample,
    invoice_rows,
    make_project,
    program,
    references,
    run,
    run_here,
    write_workbook,
)

from importer.sandbox import inspect

SCHEMA = json.loads((ROOT / "schemas" / "results.schema.json").read_text(encoding="utf-8"))
#: Those that create; the others need documents that are there already.
GOOD_SAMPLES = sorted(
    file.parent.name
    for file in SAMPLES.glob("*/mapping.yaml")
    if ".create\n" in file.read_text(encoding="utf-8") and file.parent.name != "with-mistakes"
)
INVOICE = "customerInvoice"
COUNT = 6
STATUS, NUMBER, MESSAGE = "Import status", "Visma number", "Message"


def box(project: Path) -> Path:
    return project / ".visma-import" / "sandbox"


def held(project: Path, resource: str = INVOICE) -> list[dict[str, Any]]:
    return inspect.documents(box(project), resource)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", invoice_rows(COUNT))


def keys(count: int) -> list[str]:
    return [f"F{number:04}" for number in range(1, count + 1)]


def sheet_rows(file: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(file, data_only=True)
    head, *rows = book.worksheets[0].iter_rows(values_only=True)
    book.close()
    return [str(cell) for cell in head], rows


@pytest.mark.parametrize("name", GOOD_SAMPLES)
def test_a_sample_is_imported_once(tmp_path: Path, name: str) -> None:
    """Every document is accepted with a report; the same again sends nothing, says why, and exits 0."""
    project = copy_sample(name, tmp_path)
    raw = yaml.safe_load((project / "mapping.yaml").read_text(encoding="utf-8"))
    column = raw["key"] if isinstance(raw["key"], str) else raw["key"]["column"]
    headers, rows = sheet_rows(project / raw["workbook"]["file"])
    distinct = {str(row[headers.index(column)]) for row in rows}
    first = run(project)
    writes = inspect.writes(box(project))
    second = run_here(project)

    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert set(first.counts) <= {"accepted", "filtered"}
    assert len({document["key"] for document in first.documents}) == len(distinct)
    assert sum(count["rows"] for count in first.results["counts"].values()) == len(rows)
    resource = raw["endpoint"].partition(".")[0]
    assert len(held(project, resource)) == first.counts["accepted"] == writes
    assert inspect.writes(box(project)) == writes
    assert second.counts == {"already_accepted": writes, **{k: v for k, v in first.counts.items() if k == "filtered"}}
    numbers = {document["key"]: document["number"] for document in first.documents if document["status"] == "accepted"}
    assert all(numbers.values())
    for document in second.documents:
        if document["status"] == "already_accepted":
            assert document["number"] == numbers[document["key"]]
            assert first.run_id in document["message"]


@pytest.mark.parametrize("name", GOOD_SAMPLES)
def test_the_report_of_a_sample_is_the_users_sheet_with_the_outcome_beside_each_row(tmp_path: Path, name: str) -> None:
    """results.json follows its schema; results.xlsx has the user's columns, then status and number on each row."""
    project = copy_sample(name, tmp_path)
    ran = run_here(project)
    jsonschema.Draft7Validator(SCHEMA).validate(ran.results)
    file = next(project.glob("*.xlsx"))
    (headers, rows), (shown, told) = sheet_rows(file), sheet_rows(ran.folder / "results.xlsx")

    assert shown[: len(headers)] == headers
    assert shown[len(headers) :] == [STATUS, NUMBER, MESSAGE]
    assert [row[: len(headers)] for row in told] == rows
    outcome = {row: document for document in ran.documents for row in document["rows"]}
    assert [row[len(headers)] for row in told] == [outcome[n]["status"] for n in range(2, len(rows) + 2)]
    assert [row[len(headers) + 1] for row in told] == [outcome[n]["number"] for n in range(2, len(rows) + 2)]
    assert "sandbox: nothing reached Visma" in ran.stdout.splitlines()[0]
    assert "sandbox: nothing reached Visma" in ran.stdout.splitlines()[-1]


def renamed(project: Path) -> None:
    shutil.move(project / "invoices.xlsx", project / "november (2).xlsx")


def sorted_again(project: Path) -> None:
    write_workbook(project / "november (2).xlsx", sorted(invoice_rows(COUNT), key=lambda row: (row[1], row[0])[::-1]))


def reversed_rows(project: Path) -> None:
    rows = invoice_rows(COUNT)
    documents = [[row for row in rows if row[0] == key] for key in keys(COUNT)]
    write_workbook(project / "november (2).xlsx", [row for document in documents[::-1] for row in document])


@pytest.mark.parametrize("change", [renamed, sorted_again, reversed_rows])
def test_what_was_accepted_is_known_whatever_the_file_is_called_and_however_it_is_sorted(
    project: Path, change: Callable[[Path], None]
) -> None:
    """The journal knows documents, not files or rows; the message names the earlier run and the number."""
    first = run_here(project)
    change(project)
    second = run_here(project, "november (2).xlsx")

    assert (second.code, second.counts) == (0, {"already_accepted": COUNT})
    assert inspect.writes(box(project)) == COUNT
    for document in second.documents:
        assert first.run_id in document["message"]
        assert first.document(document["key"])["number"] in document["message"]


def test_of_a_file_that_grew_only_the_additions_go_out(project: Path) -> None:
    """Two rows more are two documents more."""
    run_here(project)
    more = [row for row in invoice_rows(COUNT + 2) if row[0] in keys(COUNT + 2)[-2:]]
    write_workbook(project / "invoices.xlsx", [*more, *invoice_rows(COUNT)])
    second = run_here(project)

    assert (second.code, second.counts) == (0, {"already_accepted": COUNT, "accepted": 2})
    assert references(held(project)) == keys(COUNT + 2)


def test_two_equal_lines_of_one_document_are_both_sent(tmp_path: Path) -> None:
    """The same item twice on one invoice is two lines, once."""
    row = invoice_rows(1)[0]
    project = make_project(tmp_path / "project", [row, row])
    first, second = run_here(project), run_here(project)

    assert (first.counts, second.counts) == ({"accepted": 1}, {"already_accepted": 1})
    (document,) = held(project)
    assert len(document["body"]["invoiceLines"]) == 2


def test_other_content_for_an_accepted_key_is_changed_and_not_sent(project: Path) -> None:
    """A person has to decide; the document stays what it was, and the rest goes on."""
    first = run_here(project)
    before = held(project)
    rows = invoice_rows(COUNT + 1)
    rows[0] = (*rows[0][:4], 99, rows[0][5])
    write_workbook(project / "invoices.xlsx", rows)
    second = run_here(project)

    assert (second.code, second.counts) == (4, {"changed": 1, "already_accepted": COUNT - 1, "accepted": 1})
    assert second.document("F0001")["status"] == "changed"
    assert first.run_id in second.document("F0001")["message"]
    assert held(project)[:COUNT] == before


def test_the_same_body_under_another_key_is_changed_and_names_the_other(tmp_path: Path) -> None:
    """Nobody's document is sent a second time because its key was retyped."""
    mapping = MAPPING.replace("  externalReference: Invoice no\n", "")
    project = make_project(tmp_path / "project", invoice_rows(1), mapping)
    run_here(project)
    write_workbook(project / "invoices.xlsx", [("F0001-B", *invoice_rows(1)[0][1:])])
    second = run_here(project)

    assert (second.code, second.counts) == (4, {"changed": 1})
    assert "'F0001'" in second.documents[0]["message"]
    assert len(held(project)) == 1


def test_two_documents_of_one_workbook_with_the_same_body_are_both_sent(tmp_path: Path) -> None:
    """Two deliveries of the same thing on the same day are two invoices."""
    mapping = MAPPING.replace("  externalReference: Invoice no\n", "")
    row = invoice_rows(1)[0]
    project = make_project(tmp_path / "project", [row, ("F0002", *row[1:])], mapping)
    first, second = run_here(project), run_here(project)

    assert (first.counts, second.counts) == ({"accepted": 2}, {"already_accepted": 2})
    assert len(held(project)) == 2


def test_a_rejected_document_goes_out_when_it_is_corrected(project: Path) -> None:
    """The message is the API's own; the good documents went out meanwhile and stay."""
    rows = invoice_rows(COUNT)
    write_workbook(project / "invoices.xlsx", [(rows[0][0], "98765", *rows[0][2:]), *rows[1:]])
    first = run_here(project)
    write_workbook(project / "invoices.xlsx", rows)
    second = run_here(project)

    assert (first.code, first.counts) == (4, {"rejected": 1, "accepted": COUNT - 1})
    assert "98765" in first.document("F0001")["message"]
    assert first.document("F0001")["http_status"] == 400
    assert (second.code, second.counts) == (0, {"accepted": 1, "already_accepted": COUNT - 1})
    assert references(held(project)) == keys(COUNT)


def test_by_default_one_bad_row_holds_everything(project: Path) -> None:
    """Nothing is sent, there is no run and no report; --skip-invalid sends the good ones."""
    rows = invoice_rows(COUNT)
    write_workbook(project / "invoices.xlsx", [(*rows[0][:4], "many", rows[0][5]), *rows[1:]])
    held_back = run_here(project)
    nothing = inspect.writes(box(project))
    history, reported = command("history", cwd=project)[0], (project / "reports").exists()
    skipped = run_here(project, "--skip-invalid")

    assert (held_back.code, nothing) == (3, 0)
    assert "'many'" in held_back.stdout
    assert not reported
    assert history == 3
    assert len(json.loads(command("history", "--json", cwd=project)[1])) == 1
    assert (skipped.code, skipped.counts) == (4, {"invalid": 1, "accepted": COUNT - 1})
    assert skipped.document("F0001")["problems"][0]["row"] == 2


def test_limit_and_only_leave_the_rest_out(project: Path) -> None:
    """What is not meant is filtered, its problems hold nothing back, and it goes out when it is meant."""
    rows = invoice_rows(COUNT)
    write_workbook(project / "invoices.xlsx", [*rows[:-2], *((*row[:4], "many", row[5]) for row in rows[-2:])])
    limited = run_here(project, "--limit", "2")
    chosen = run_here(project, "--only", "F0002", "--only", "F0003")
    write_workbook(project / "invoices.xlsx", rows)
    rest = run_here(project)

    assert (limited.code, limited.counts) == (0, {"accepted": 2, "filtered": COUNT - 2})
    assert (chosen.code, chosen.counts) == (0, {"already_accepted": 1, "accepted": 1, "filtered": COUNT - 2})
    assert (rest.code, rest.counts) == (0, {"already_accepted": 3, "accepted": COUNT - 3})


def test_reset_makes_the_next_run_send_again(project: Path) -> None:
    """An emptied sandbox is another company, so that the journal does not call it full."""
    run_here(project)
    code, said, _ = command("sandbox", "reset", cwd=project)
    emptied = len(held(project))
    again = run_here(project)

    assert (code, emptied) == (0, 0), said
    assert (again.code, again.counts) == (0, {"accepted": COUNT})
    assert references(held(project)) == keys(COUNT)


def test_a_report_is_rebuilt_byte_by_byte_from_the_journal(project: Path) -> None:
    """`report RUN` writes the same results.json, also when the workbook is gone, and the same sheet."""
    rows = invoice_rows(COUNT)
    write_workbook(project / "invoices.xlsx", [*rows[:-1], (*rows[-1][:1], "98765", *rows[-1][2:])])
    first = run_here(project, "--skip-invalid")
    (project / "invoices.xlsx").unlink()
    code, said, error = command("report", first.run_id[:6], "--report", "again", cwd=project)

    assert code == 0, said + error
    for name in ("results.json", "results.html", "results.junit.xml", "summary.md"):
        assert (project / "again" / name).read_bytes() == (first.folder / name).read_bytes()
    assert sheet_rows(project / "again" / "results.xlsx") == sheet_rows(first.folder / "results.xlsx")


def test_without_the_copy_of_the_workbook_the_report_says_what_is_missing(project: Path) -> None:
    """The other files are written all the same."""
    first = run_here(project)
    for copy in (project / ".visma-import" / "workbooks").iterdir():
        copy.unlink()
    code, said, _ = command("report", "--report", "again", cwd=project)

    assert code == 0
    assert "results.xlsx was not written" in said
    assert {path.name for path in (project / "again").iterdir()} == {
        "results.html",
        "results.json",
        "results.junit.xml",
        "summary.md",
    }
    assert (project / "again" / "results.json").read_bytes() == (first.folder / "results.json").read_bytes()


def test_history_lists_the_runs_the_latest_first(project: Path) -> None:
    """Each with its id, exit code, workbook and counts, for people and for programs."""
    first, second = run_here(project), run_here(project)
    listed = json.loads(command("history", "--json", cwd=project)[1])
    told = command("history", cwd=project)[1]

    assert [entry["run_id"] for entry in listed] == [second.run_id, first.run_id]
    assert [entry["counts"] for entry in listed] == [{"already_accepted": COUNT}, {"accepted": COUNT}]
    assert told.index(second.run_id) < told.index(first.run_id)
    assert "invoices.xlsx" in told


def test_json_on_stdout_is_nothing_but_json(project: Path) -> None:
    """What results.json holds, less the documents."""
    done = program("run", "mapping.yaml", "--json", "--report", "out", cwd=project)
    results = json.loads((project / "out" / "results.json").read_text(encoding="utf-8"))

    assert json.loads(done.stdout) == {name: value for name, value in results.items() if name != "documents"}


def test_hostile_text_arrives_unchanged_and_is_text_in_the_report(tmp_path: Path) -> None:
    """Quotes, braces, a newline, an emoji and a formula reach the API as they were typed, and no cell computes."""
    names = ['Ola "Gutten" \\ {{ 7*7 }}\n🦭 {% raw %}', '=HYPERLINK("x")', "+4711", "@SUM(A1)", "'; DROP TABLE", "</t>"]
    mapping = NUMBERED.replace("customerInvoice", "customer").partition("fields:")[0].replace("Invoice no", "No")
    mapping += "fields: {number: No, overrideNumberSeries: {value: true}, name: Name}\n"
    project = make_project(tmp_path / "project", [], mapping)
    write_workbook(project / "invoices.xlsx", [(f"9{n:04}", name) for n, name in enumerate(names)], ("No", "Name"))
    ran = run_here(project)

    assert (ran.code, ran.counts) == (0, {"accepted": len(names)})
    assert sorted(document["body"]["name"]["value"] for document in held(project, "customer")) == sorted(names)
    assert [row[1] for row in sheet_rows(ran.folder / "results.xlsx")[1]] == names
    with zipfile.ZipFile(ran.folder / "results.xlsx") as archive:
        sheets = [name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name)]
        assert sheets
        assert all(b"<f>" not in archive.read(name) and b"<f " not in archive.read(name) for name in sheets)


def test_the_report_can_be_corrected_and_run_again(project: Path) -> None:
    """results.xlsx is a workbook to work in: only what is not accepted yet goes out, and the report replaces itself."""
    rows = invoice_rows(COUNT)
    write_workbook(project / "invoices.xlsx", [(rows[0][0], "98765", *rows[0][2:]), *rows[1:]])
    first = run_here(project)
    book = openpyxl.load_workbook(first.folder / "results.xlsx")
    book["Invoices"]["B2"].value = rows[0][1]
    book.save(project / "corrected.xlsx")
    second = run_here(project, "corrected.xlsx")
    third = run_here(project, second.folder / "results.xlsx")

    assert first.counts == {"rejected": 1, "accepted": COUNT - 1}
    assert (second.code, second.counts) == (0, {"accepted": 1, "already_accepted": COUNT - 1})
    assert (third.code, third.counts) == (0, {"already_accepted": COUNT})
    assert references(held(project)) == keys(COUNT)
    assert sheet_rows(third.folder / "results.xlsx")[0] == [*HEADERS, STATUS, NUMBER, MESSAGE]
