"""`--allow STATUS=N`: a job may be green although documents failed, up to a declared number, and never silently."""

import json
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pytest
from end_to_end import (
    HEADERS,
    MAPPING,
    ROOT,
    Ran,
    command,
    make_project,
    program_here,
    run_here,
    write_workbook,
)

from importer.sandbox import inspect

SCHEMA = json.loads((ROOT / "schemas" / "results.schema.json").read_text(encoding="utf-8"))


def rows(good: int, rejected: int = 0, invalid: int = 0) -> list[Any]:
    """Return documents of one row: good ones, those of a customer that is not there, those with a mistake."""
    kinds = [("G", good, "10001", 2), ("R", rejected, "98765", 2), ("I", invalid, "10001", "x")]
    return [
        (f"{letter}{number}", customer, date(2025, 1, 27), "Kaffe", quantity, 10)
        for letter, count, customer, quantity in kinds
        for number in range(count)
    ]


def ran(folder: Path, sheet: list[Any], *options: str) -> Ran:
    """Run a sheet in a project of its own."""
    return run_here(make_project(folder, sheet), *options)


def allow(*texts: str) -> list[str]:
    return [part for text in texts for part in ("--allow", text)]


@pytest.mark.parametrize(
    ("left", "options", "code"),
    [
        ((2, 0), ["rejected=3"], 0),
        ((2, 0), ["rejected=2"], 0),
        ((2, 0), ["rejected=1"], 4),
        ((2, 0), ["invalid=9"], 4),
        ((0, 2), ["invalid=2"], 0),
        ((2, 1), ["rejected=2", "invalid=1"], 0),
        ((2, 1), ["invalid=1"], 4),
        ((0, 0), ["rejected=0", "invalid=0"], 0),
    ],
)
def test_a_run_is_green_up_to_what_is_allowed_of_each_status(
    tmp_path: Path, left: tuple[int, int], options: list[str], code: int
) -> None:
    """One more than allowed, or one of another status, is exit 4 as ever; results.json holds the same code."""
    found = ran(tmp_path / "p", rows(2, *left), *allow(*options))

    assert (found.code, found.results["exit_code"]) == (code, code)
    assert found.results["allowed"] == {name: int(number) for name, number in (one.split("=") for one in options)}
    jsonschema.Draft7Validator(SCHEMA).validate(found.results)


def test_invalid_documents_beyond_what_is_allowed_keep_the_run_from_starting(tmp_path: Path) -> None:
    """Nothing is sent, exit 3, and the message holds both numbers; also for programs."""
    project = make_project(tmp_path / "p", rows(2, 0, 3))
    code, out, _ = command("run", "mapping.yaml", "--allow", "invalid=2", cwd=project)
    for_programs = command("run", "mapping.yaml", "--allow", "invalid=2", "--json", cwd=project)

    assert (code, "3 invalid, allowed: 2" in out, "nothing was sent" in out) == (3, True, True)
    assert (for_programs[0], json.loads(for_programs[1])["exit_code"]) == (3, 3)
    assert "3 invalid, allowed: 2, so nothing was sent." in for_programs[2]
    assert inspect.writes(project / ".visma-import" / "sandbox") == 0


def test_a_total_that_differs_holds_the_run_whatever_is_allowed(tmp_path: Path) -> None:
    """What is wrong with the file as a whole is no document that may be left."""
    mapping = MAPPING + "totals: [{name: Net, sum: Unit price, expect: 51}]\n"
    project = make_project(tmp_path / "p", rows(2, 0, 1), mapping)

    assert command("run", "mapping.yaml", "--allow", "invalid=9", cwd=project)[0] == 3
    assert inspect.writes(project / ".visma-import" / "sandbox") == 0


def test_a_changed_document_is_never_allowed(tmp_path: Path) -> None:
    """A person decides it; no number of rejections makes that green."""
    project = make_project(tmp_path / "p", rows(1))
    run_here(project)
    changed = [("G0", "10001", date(2025, 1, 27), "Te", 3, 10), *rows(0, 1)]
    write_workbook(project / "invoices.xlsx", changed, HEADERS)
    found = run_here(project, *allow("rejected=5", "invalid=5"))

    assert (found.code, found.counts) == (4, {"changed": 1, "rejected": 1})


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--rehearse", "cut_before@1", "--settle-after", "600"], 5), (["--max-same-rejections", "1"], 6)],
)
def test_doubt_and_an_early_stop_stay_what_they_are(tmp_path: Path, options: list[str], code: int) -> None:
    """5 and 6 say that work is left, which nobody can allow away."""
    found = ran(tmp_path / "p", rows(0, 3), "--workers", "1", *options, *allow("rejected=9", "invalid=9"))

    assert found.code == code


def test_every_report_says_what_was_left_and_what_was_allowed(tmp_path: Path) -> None:
    """The last line, each file, and the report that is written again from the journal; test cases still fail."""
    found = ran(tmp_path / "p", rows(2, 2), *allow("rejected=3"))
    project, words = tmp_path / "p", "2 rejected, allowed: 3"
    again = command("report", found.run_id, "--report", "again", cwd=project)[1]
    folders = [found.folder, project / "again"]
    summaries = [openpyxl.load_workbook(folder / "results.xlsx")["Import summary"] for folder in folders]
    (last,) = [line for line in found.stdout.splitlines() if line.startswith("Run ")]

    assert f"exit code 0: {words}. Every other document was accepted" in last
    assert words in again
    for folder, summary in zip(folders, summaries, strict=True):
        told = {row[0].value: row[1].value for row in summary.iter_rows()}
        junit = (folder / "results.junit.xml").read_text(encoding="utf-8")
        assert told["Result"].startswith(words)
        assert words in unescape((folder / "results.html").read_text(encoding="utf-8"))
        assert words in junit
        assert junit.count("<failure") == 2
        assert json.loads((folder / "results.json").read_text(encoding="utf-8"))["allowed"] == {"rejected": 3}


@pytest.mark.parametrize(("number", "code"), [(4, 0), (3, 4), (1, 4)])
def test_the_steps_of_a_migration_may_leave_no_more_together(tmp_path: Path, number: int, code: int) -> None:
    """Two steps that leave two each need four allowed; the last line and the summary over all say so."""
    project = make_project(tmp_path / "p", rows(1, 2))
    other = MAPPING.replace("name: invoices", "name: notes").replace("customerInvoice", "customerCreditNote")
    (project / "other.yaml").write_text(other, encoding="utf-8")
    steps = "steps:\n  - {name: a, mapping: mapping.yaml}\n  - {name: b, mapping: other.yaml}\n"
    (project / "two.yaml").write_text(f"version: 1\nname: two\n{steps}", encoding="utf-8")
    got, out, _ = command("run", "two.yaml", "--report", "r", *allow(f"rejected={number}"), cwd=project)
    whole = json.loads((project / "r" / "results.json").read_text(encoding="utf-8"))
    (last,) = [line for line in out.splitlines() if line.startswith("two, exit code ")]

    assert (got, whole["exit_code"]) == (code, code)
    assert f"4 rejected, allowed: {number}" in last
    assert (
        (project / "r" / "summary.md").read_text(encoding="utf-8").startswith(f"# two: 2 of 2 steps, exit code {code}")
    )


def test_a_run_that_was_told_nothing_reports_nothing_of_it(tmp_path: Path) -> None:
    """results.json has the field only where something was allowed."""
    found = ran(tmp_path / "p", rows(1, 1))

    assert (found.code, "allowed" in found.results) == (4, False)
    assert "allowed" not in found.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rejected", "STATUS=N"),
        ("changed=1", "rejected or invalid"),
        ("unknown=1", "rejected or invalid"),
        ("rejected=-1", "whole number"),
        ("rejected=1.5", "whole number"),
        ("rejected=", "whole number"),
        ("rejected=٣", "whole number"),
        ("invalid=99999999", "1,000,000"),
        ("rejected=1\nrejected=2", "twice"),
    ],
)
def test_what_cannot_be_allowed_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Exit 2 with what may be said, also by the environment, whose variable is named; nothing is sent."""
    project = make_project(tmp_path / "p", rows(1))
    done = program_here("run", "mapping.yaml", cwd=project, VISMA_IMPORT_ALLOW=text)
    given = command("run", "mapping.yaml", *allow(*text.split("\n")), cwd=project)

    assert (done.returncode, given[0]) == (2, 2)
    assert says in done.stderr
    assert says in given[2]
    assert "VISMA_IMPORT_ALLOW" in done.stderr
    assert not (project / ".visma-import").exists()
