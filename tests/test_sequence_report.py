"""The report over all steps: whole, described by its schema, readable, rebuilt from the journal; and the history."""

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, DESKTOP, DRIVER, PHONE, Page, driver
from defusedxml.ElementTree import parse
from end_to_end import ROOT, command
from firm import wait_for
from junitparser import JUnitXml
from migrations import INVOICES, MIGRATION, REFUSED, Done, Mover, customer, invoice, open_mover, results_of, validate
from test_report_junit import check as check_junit

from importer.journal import open_journal
from importer.sandbox import Fault

__all__ = ["driver"]

STEP_FILES = {"results.html", "results.json", "results.junit.xml", "results.xlsx", "summary.md"}
WHOLE_FILES = {"01-customers", "02-invoices", "results.html", "results.json", "results.junit.xml", "summary.md"}


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Mover]:
    with open_mover(tmp_path) as opened:
        opened.customers(customer(1), customer(2, REFUSED), customer(3))
        opened.invoices(*(invoice(n, key) for n, key in enumerate(("K-1", "K-2", "K-2", "K-3"), start=1)))
        yield opened


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def again(mover: Mover, *arguments: str) -> Done:
    """Write a report again."""
    code, out, err = command("report", *arguments, "--journal", mover.journal, cwd=mover.project)
    assert code == 0, err
    return Done(code, out, err, mover.project)


def contents(folder: Path) -> dict[str, bytes]:
    """Return each file of a report, workbooks left out: those are written anew with the time in them."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".xlsx")
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_each_step_has_its_report_and_the_whole_has_one_over_them(local: Mover) -> None:
    """The files are there, results.json keeps to its schema, and its counts are the sums of the steps."""
    done = local.run()
    data = done.results

    assert names(done.folder) == WHOLE_FILES
    assert all(names(done.folder / step["folder"]) == STEP_FILES for step in data["steps"])
    assert (data["migration"], data["exit_code"], data["steps_declared"], data["stopped"]) == ("move", 4, 2, "")
    for status, counted in data["counts"].items():
        of_steps = [step["counts"][status] for step in data["steps"]]
        assert counted == {name: sum(one[name] for one in of_steps) for name in ("documents", "rows")}
    for step in data["steps"]:
        own = json.loads((done.folder / step["folder"] / "results.json").read_text(encoding="utf-8"))
        assert own == {name: value for name, value in step.items() if name not in {"step", "folder"}}


def test_a_step_is_described_as_its_own_results_are() -> None:
    """The schema of a sequence's results says of a step what that of a run's says, and no less strictly."""
    of_run, of_whole = (
        json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
        for name in ("results", "sequence-results")
    )
    step = of_whole["definitions"]["step"]

    other = [name for name, node in of_run["properties"].items() if step["properties"][name] != node]
    assert other in ([], ["exit_code"])
    assert set(step["required"]) == {"step", "folder", *of_run["required"]}
    assert (step["additionalProperties"], of_whole["additionalProperties"]) == (False, False)


def test_junit_tells_each_document_of_all_steps(local: Mover) -> None:
    """A suite for each step, as the schema of other servers' readers wants it."""
    done = local.run()
    file = done.folder / "results.junit.xml"
    check_junit(parse(file).getroot())
    suites = list(JUnitXml.fromfile(str(file)))

    assert [(suite.name, suite.tests, suite.failures, suite.errors) for suite in suites] == [
        ("customers", 3, 1, 0),
        ("invoices", 4, 0, 2),
    ]


def test_the_report_of_a_sequence_is_written_again_as_the_run_wrote_it(local: Mover) -> None:
    """Without RUN, by the run of any step, by the sequence; into the same folder, and byte for byte the same."""
    done = local.run()
    before, runs = contents(done.folder), [step["run_id"] for step in done.results["steps"]]

    for given in ([], [runs[0]], [runs[1]], [done.results["sequence_id"]]):
        shutil.rmtree(done.folder)
        told = again(local, *given)
        assert told.folder.resolve() == done.folder.resolve()
        assert contents(told.folder) == before
        assert names(told.folder / "02-invoices") == STEP_FILES
    assert "move, exit code 4: " in told.out
    code, out, _ = command("report", runs[0], "--json", "--journal", local.journal, cwd=local.project)
    assert (code, json.loads(out)["sequence_id"]) == (0, done.results["sequence_id"])
    validate(json.loads(out), "run")


def test_a_report_takes_the_place_of_an_earlier_one_whole(local: Mover) -> None:
    """Of steps that this sequence did not begin nothing is left; what somebody else put there is."""
    local.run("migration.yaml", "--report", "told")
    (local.project / "told" / "02-invoices" / "note.txt").write_text("mine", encoding="utf-8")
    (local.project / "told" / "03-else").mkdir()
    rule = "customers.yaml\n    stop: {failures: 0}"
    local.write("migration.yaml", MIGRATION.replace("customers.yaml", rule))

    assert local.run("migration.yaml", "--report", "told").code == 6
    assert names(local.project / "told") == {*WHOLE_FILES, "03-else"}
    assert names(local.project / "told" / "02-invoices") == {"note.txt"}
    assert len(results_of(local.project / "told")["steps"]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_sequence_has_a_report_that_says_its_end_was_not_written_down(local: Mover) -> None:
    """From the journal, of the steps that were begun."""
    open_journal(local.journal).close()
    local.fail(Fault(match="POST customerinvoice", kind="hang", nth=2, delay_s=20))
    with local.running(*local.arguments("migration.yaml", "--workers", "1")) as process:
        wait_for(lambda: len(local.held) == 2)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)

    told = again(local, "--report", "told")
    data = results_of(local.project / "told")
    assert (data["exit_code"], data["finished_at"], len(data["steps"])) == (None, None, 2)
    assert "was not written down" in told.out
    assert "was not written down" in (local.project / "told" / "results.html").read_text(encoding="utf-8")


def test_what_stops_the_journal_on_the_way_is_told_of_the_step_too(local: Mover) -> None:
    """A look-up that fails in the second step: the report over all has the first, and says why no more."""
    local.fail(Fault(match="GET /v1/customerinvoice", kind="400_plain"))
    done = local.run()

    assert [step["step"] for step in done.results["steps"]] == ["customers"]
    assert "1 of 2 steps did not begin." in done.results["stopped"]


def test_names_of_steps_cannot_leave_their_folder(local: Mover) -> None:
    """Whatever a step is called, its folder lies beside the report and its name is told as it is."""
    odd = ["../../up", "a/b\\c:d*e?", "x" * 300, "  ", "CON.", "<b>&\"'"]
    steps = "".join(f"  - {{name: {json.dumps(name)}, mapping: customers.yaml}}\n" for name in odd)
    local.write("migration.yaml", f"version: 1\nname: {json.dumps('<i>&' + 'm' * 300)}\nsteps:\n{steps}")
    done = local.run("migration.yaml", "--report", "told")

    assert done.code == 4, done.out + done.err
    data = results_of(local.project / "told")
    assert [step["step"] for step in data["steps"]] == odd
    assert {step["folder"] for step in data["steps"]} == {
        path.name for path in (local.project / "told").iterdir() if path.is_dir()
    }
    assert not (local.project.parent / "up").exists()
    page = (local.project / "told" / "results.html").read_text(encoding="utf-8")
    assert "<b>&" not in page
    assert "<i>&" not in page


def test_what_is_printed_for_programs_keeps_to_its_schema(local: Mover) -> None:
    """Of a plan and a run of a migration as of those of a mapping."""
    for name, given in (("plan", ["migration.yaml"]), ("run", ["migration.yaml", "--yes"])):
        done = local.do(name, *given, "--json", "--quiet")
        data = json.loads(done.out)
        validate(data, name)
        assert data["exit_code"] == done.code


def test_history_shows_what_belongs_together(local: Mover) -> None:
    """Each run tells which step of which sequence it was, for people and for programs."""
    done = local.run()
    local.run("invoices.yaml")
    _, out, _ = command("history", "--journal", local.journal, cwd=local.project)
    rows = json.loads(command("history", "--json", "--journal", local.journal, cwd=local.project)[1])

    validate(rows, "history")
    identity = done.results["sequence_id"]
    assert f"step 2 of 2 of move ({identity})" in out
    own = {"sequence_id": identity, "migration": "move", "steps": 2}
    assert [row["sequence"] for row in rows] == [
        None,
        {**own, "step": 2, "name": "invoices"},
        {**own, "step": 1, "name": "customers"},
    ]


# -- the page ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no Chromium with its driver")
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_shows_every_step_on_every_screen(driver: Any, local: Mover, width: int, *, dark: bool) -> None:
    """No width makes it scroll sideways, nothing is blocked or fetched, and each step leads to its report."""
    local.write("invoices.yaml", INVOICES.replace("name: invoices", f"name: {'W' * 90}"))
    done = local.run()
    page = Page(driver, (done.folder / "results.html").resolve()).open(width=width, dark=dark)

    assert page.complaints == []
    assert page.run("return document.documentElement.scrollWidth") <= width
    links = page.run("return [...document.querySelectorAll('main a')].map(a => a.href)")
    assert len(links) == 2
    assert all(Path(link.removeprefix("file://")).is_file() for link in links)
    text = page.run("return document.body.innerText")
    assert "Step 2: WWW" in text
    assert "refers to customers 'K-2'" in text
