"""summary.md: what a run, a check or a plan came to, shown beside a job; no cell is more than text there."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from end_to_end import (
    HEADERS,
    MAPPING,
    copy_sample,
    invoice_rows,
    make_project,
    program,
    program_here,
    run_here,
    write_workbook,
)
from markdown_it import MarkdownIt
from pages import HOSTILE, RECORD

from importer.model import Outcome, Status
from importer.report import markdown
from importer.report.contents import contents
from importer.report.summary_file import summary
from importer.report.words import legible

TOTALS = "totals:\n  - {name: Pieces, sum: Qty, expect: 23}\n"
MIXED = (
    "| a | b |",
    "`code` **bold** _x_ ~~gone~~ [link](http://evil.example)",
    "<img src=x onerror=alert(1)> &amp; &#124;",
    "@everyone #1 $x^2$ ![i](x)",
    "one\ntwo\r\nthree",
    "\\| \\\\",
    "https://evil.example www.evil.example",
    "1. - + > # head",
)


def html(text: str) -> str:
    """Return what a reader of Markdown makes of it, with the tables that GitHub knows."""
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def cells(rendered: str) -> list[list[str]]:
    """Return the tables' cells as a person sees them, spaces drawn together."""
    rows = [part.split("</tr>")[0] for part in rendered.split("<tr>")[1:]]
    parts = [row.replace("<th", "<td").split("<td")[1:] for row in rows]
    return [[" ".join(unescape(cell.split(">", 1)[1].split("</t")[0]).split()) for cell in row] for row in parts]


@pytest.mark.parametrize("text", [*MIXED, *HOSTILE])
def test_a_text_of_a_cell_is_shown_as_it_is(text: str) -> None:
    """In a table and in a list: the same characters, in one line, and nothing of them is markup."""
    shown = " / ".join(part.strip() for part in legible(text).split("\n") if part.strip())
    line = markdown.text(text, most=10_000)
    rendered = html("\n".join(markdown.table(("Head", "Other"), [(line, "after")])))

    assert "\n" not in line
    assert cells(rendered)[1:] == [[" ".join(shown.split()), "after"]]
    assert not re.search(r"<(?!/?(table|thead|tbody|tr|th|td)\b)", rendered)
    # what GitHub makes links and mentions of by itself
    assert not re.search(r"://|www\.|@", line)


def test_a_run_s_summary_holds_what_it_came_to(tmp_path: Path) -> None:
    """The notice, what happened, counts by status, totals, causes with their first documents, the run's id."""
    rows = [*invoice_rows(4), *((f"R{number}", "98765", *invoice_rows(1)[0][2:]) for number in range(7))]
    ran = run_here(make_project(tmp_path / "p", rows, MAPPING + TOTALS))
    written = (ran.folder / "summary.md").read_text(encoding="utf-8")
    table = cells(html(written))

    assert ran.code == 4
    assert written.startswith("## invoices: 7 of 11 documents need attention.\n\n**sandbox: nothing reached Visma**\n")
    assert [row[:3] for row in table[1:3]] == [["accepted", "4", "5"], ["rejected", "7", "7"]]
    assert ["Pieces", "23", "23", "agrees"] in table
    (cause,) = [row for row in table if len(row) == 5 and row[0] == "rejected"]
    assert (cause[1], cause[4]) == ("7", "R0 (row 7), R1 (row 8), R2 (row 9), R3 (row 10), R4 (row 11), and 2 more")
    assert f"Run {ran.run_id}, exit code 4" in written


def test_a_summary_stays_small_however_much_went_wrong() -> None:
    """A megabyte is what GitHub takes of a step: 3,000 causes and texts without end are some tens of kilobytes."""
    outcomes = [
        Outcome(
            position=place,
            key="K" * 9_000 + str(place),
            status=status,
            rows=tuple(range(place * 3 + 2, place * 3 + 5, 2)),
            message=f"{chr(97 + place % 26) * 9_000} {'x' * (place % 1_000)}. Mend it.",
        )
        for place in range(3_000)
        for status in [Status.CHANGED if place % 2 else Status.UNKNOWN]
    ]
    written = summary(contents(replace(RECORD, stopped="y" * 50_000), outcomes))

    assert len(written.encode()) < 200_000
    assert "more causes" in written


def test_a_check_s_summary_is_written_beside_its_report(tmp_path: Path) -> None:
    """What is wrong with the whole file first, then each cause; what is odd apart."""
    project = copy_sample("with-mistakes", tmp_path)
    program_here("check", "mapping.yaml", "--report", "r", cwd=project)
    written = (project / "r" / "summary.md").read_text(encoding="utf-8")

    assert written.startswith("## with-mistakes: Nothing can be sent")
    assert written.index("Column not found") < written.index("Not a date") < written.index("What is odd")
    assert "check: nothing was sent" in written


def test_each_command_adds_its_summary_to_the_job_s(tmp_path: Path) -> None:
    """check, plan, a run, one that does not start, a mistake in the mapping: each is added, nothing is replaced."""
    project = make_project(tmp_path / "p", invoice_rows(3), MAPPING + TOTALS.replace("23", "7"))
    (project / "bad.yaml").write_text(MAPPING.replace("key:", "kez:"), encoding="utf-8")
    job = tmp_path / "summary"
    job.write_text("## An earlier step\n", encoding="utf-8")

    def added(*arguments: str) -> str:
        before = job.read_text(encoding="utf-8")
        done = program_here(*arguments, cwd=project, GITHUB_STEP_SUMMARY=str(job))
        assert "::" not in done.stderr
        after = job.read_text(encoding="utf-8")
        assert after.startswith(before)
        return after.removeprefix(before)

    checked, planned = added("check", "mapping.yaml"), added("plan", "mapping.yaml")
    ran = added("run", "mapping.yaml", "--report", "r")
    write_workbook(project / "invoices.xlsx", [(*invoice_rows(1)[0][:4], "x", 1)], HEADERS)
    held, wrong = added("run", "mapping.yaml"), added("check", "bad.yaml", "--quiet", "--json")

    assert checked.startswith("## invoices: 3 of 3 documents are ready to send")
    assert planned.startswith("## invoices: 3 documents would be sent to sandbox")
    assert "First to send: F0001 (row 2); last: F0003 (rows 4-5)." in planned
    assert ["Pieces", "7", "7", "", "7", "agrees"] in [[*row[:3], "", *row[4:]] for row in cells(html(planned))]
    assert ran == (project / "r" / "summary.md").read_text(encoding="utf-8") + "\n"
    assert held.startswith("**The run did not start: nothing was sent.**")
    assert "Not a number" in held
    assert re.search(r"- bad.yaml:\d+: 'kez' is not known", wrong)


def test_a_plan_s_summary_tells_what_is_blocked_and_why(tmp_path: Path) -> None:
    """Each cause with its documents, also what a person has to decide."""
    project = make_project(tmp_path / "p", invoice_rows(2))
    run_here(project)
    first, second = invoice_rows(2)
    write_workbook(project / "invoices.xlsx", [(*first[:4], 9, 1), (*second[:4], "x", 1)], HEADERS)
    job = tmp_path / "summary"
    program_here("plan", "mapping.yaml", cwd=project, GITHUB_STEP_SUMMARY=str(job))
    table = cells(html(job.read_text(encoding="utf-8")))

    assert ["blocked", "2", "2", "waits for a correction or a decision"] in table
    assert {(row[0], row[4]) for row in table if len(row) == 5 and row[0] in {"changed", "invalid"}} == {
        ("changed", "F0001 (row 2)"),
        ("invalid", "F0002 (row 3)"),
    }


def test_a_summary_that_cannot_be_added_changes_nothing(tmp_path: Path) -> None:
    """The run ends as it ended, and says so; a job's summary that is full already is left as it is."""
    project = make_project(tmp_path / "p", invoice_rows(1))
    full = tmp_path / "full"
    full.write_bytes(b"x" * 1_000_000)
    done = program("run", "mapping.yaml", cwd=project, GITHUB_STEP_SUMMARY=str(tmp_path / "none" / "summary"))
    again = program("run", "mapping.yaml", cwd=project, GITHUB_STEP_SUMMARY=str(full))

    assert (done.returncode, again.returncode) == (0, 0)
    assert "GITHUB_STEP_SUMMARY" in done.stderr
    assert full.stat().st_size == 1_000_000
