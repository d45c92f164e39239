"""Killed, interrupted or run twice at once: each document at most once, and nothing lost."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from json import loads
from pathlib import Path

import pytest
from end_to_end import (
    TARGET,
    RawServer,
    aim,
    command,
    created,
    environment,
    http,
    import_into,
    invoice_rows,
    make_project,
    references,
    run_here,
)
from firm import INVOICE, WRITE, keys, open_firm, wait_for

from importer.sandbox import Fault, Sandbox, Settings, inspect

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals between processes")


@contextmanager
def program(project: Path, base_url: str = "", workers: int = 1) -> Iterator["subprocess.Popen[str]"]:
    """Start the program's own `run`, which does not outlive the test, on an address or the embedded sandbox."""
    aimed = TARGET if base_url else ()
    if base_url:
        aim(project, base_url)
    with (
        (project / "stdout.txt").open("w") as out,
        subprocess.Popen(
            [sys.executable, "-m", "importer", "run", "mapping.yaml", f"--workers={workers}", *aimed],
            cwd=project,
            env=environment(project),
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def under_way(process: "subprocess.Popen[str]") -> None:
    """Wait until a run tells that it has sent a part of its documents."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert " documents: " in line, line


def held(project: Path) -> list[str]:
    """Return the references that the project's own sandbox holds."""
    return references(inspect.documents(project / ".visma-import" / "sandbox", INVOICE))


@pytest.mark.parametrize(("kind", "there"), [("hang", True), ("late", False)])
def test_a_kill_between_claim_and_settle_leaves_that_document_in_doubt_and_no_other(
    tmp_path: Path, kind: str, there: bool
) -> None:
    """The next run finds it, or exits 5 over it; it sends nothing for it, and everything else once."""
    project = make_project(tmp_path / "project", invoice_rows(10))
    folder = tmp_path / "sandbox"
    fault = Fault(match="POST customerinvoice", kind=kind, nth=4, delay_s=20)  # type: ignore[arg-type]
    with Sandbox(folder, settings=Settings(faults=(fault,))) as box:
        with program(project, box.base_url) as process:
            wait_for(lambda: inspect.writes(folder) == (4 if there else 3))
            time.sleep(0.3)
            process.kill()
            process.wait(10)
        box.faults.clear()
        ran = import_into(project, box.base_url)
        later = import_into(project, box.base_url)
        found = references(inspect.documents(folder, INVOICE))

    own = {"already_accepted": 4} if there else {"already_accepted": 3, "unknown": 1}
    all_of_them = {"already_accepted": 10} if there else {"already_accepted": 9, "unknown": 1}
    assert (ran.code, ran.counts) == (0 if there else 5, {**own, "accepted": 6})
    assert (later.code, later.counts) == (0 if there else 5, all_of_them)
    assert ran.documents[3]["sent_at"] is None
    assert found == (keys(10) if there else [key for key in keys(10) if key != "F0004"])


def test_a_killed_run_is_in_the_history_and_its_report_can_be_written(tmp_path: Path) -> None:
    """What was in flight stands as unknown in the report of the run that never ended; what was not reached is not."""
    project = make_project(tmp_path / "project", invoice_rows(200))
    with program(project) as process:
        under_way(process)
        process.kill()
        process.wait(10)

    (entry,) = loads(command("history", "--json", cwd=project)[1])
    code, _out, said = command("report", entry["run_id"], "--report", "again", cwd=project)
    results = loads((project / "again" / "results.json").read_text(encoding="utf-8"))

    assert (entry["exit_code"], entry["finished_at"]) == (None, None)
    assert code == 0, said
    assert (results["exit_code"], results["finished_at"]) == (None, None)
    assert results["counts"]["unknown"]["documents"] <= 1
    assert results["counts"]["accepted"]["documents"] + 1 >= len(held(project)) > 0
    assert results["counts"]["not_sent"]["documents"] > 0
    assert (project / "again" / "results.xlsx").exists()


@pytest.mark.parametrize("seed", [1])
def test_kills_at_random_moments_never_double_and_never_lose(tmp_path: Path, seed: int) -> None:
    """Fifteen kills during 60 documents: each is there at most once, and what is not there is said to be in doubt."""
    chance = random.Random(seed)
    project = make_project(tmp_path / "project", invoice_rows(60))
    folder = tmp_path / "sandbox"
    slow = Fault(match="POST customerinvoice", kind="hang", delay_s=0.004)
    with Sandbox(folder, settings=Settings(faults=(slow,))) as box:
        for _ in range(15):
            sent = inspect.writes(folder)
            with program(project, box.base_url) as process:
                wait_for(lambda sent=sent: inspect.writes(folder) > sent or process.poll() is not None)
                time.sleep(chance.random() * 0.05)
                process.kill()
                process.wait(10)
        sent = inspect.writes(folder)
        ran = import_into(project, box.base_url)
        last = import_into(project, box.base_url)
        writes = inspect.writes(folder)
        found = references(inspect.documents(folder, INVOICE))

    unknown = {document["key"] for document in last.documents if document["status"] == "unknown"}
    assert sent >= 15, "the kills came before anything was sent"
    assert len(found) == len(set(found)), "a document is there twice"
    assert set(found) | unknown == set(keys(60)), "a document is lost"
    assert ran.code == last.code == (5 if unknown else 0)
    assert ran.counts.get("unknown", 0) == len(unknown) <= 15
    assert last.counts == {"already_accepted": 60 - len(unknown), **({"unknown": len(unknown)} if unknown else {})}
    assert writes == sent + ran.counts.get("accepted", 0), "the last run sent something"


@POSIX
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_run_after_the_document_in_flight(tmp_path: Path, name: str) -> None:
    """The run exits 6 with a report and nothing in doubt; the next one sends the rest."""
    project = make_project(tmp_path / "project", invoice_rows(200))
    with program(project) as process:
        under_way(process)
        time.sleep(0.02)
        process.send_signal(signal.Signals[name])
        _, errors = process.communicate(timeout=60)
    first = held(project)
    output = (project / "stdout.txt").read_text()
    (report,) = (project / "reports").iterdir()
    results = loads((report / "results.json").read_text(encoding="utf-8"))
    again = run_here(project)

    assert process.returncode == 6, errors
    assert "Stopped early: Stopped by hand." in output
    assert (results["exit_code"], results["stopped"]) == (6, "Stopped by hand.")
    counts = {name: count["documents"] for name, count in results["counts"].items() if count["documents"]}
    assert counts == {"accepted": len(first), "not_sent": 200 - len(first)}
    assert (again.code, again.counts) == (0, {"already_accepted": len(first), "accepted": 200 - len(first)})
    assert held(project) == keys(200)


@POSIX
def test_the_document_in_flight_is_finished_on_ctrl_c(tmp_path: Path) -> None:
    """A slow answer is waited for, and counts."""
    project = make_project(tmp_path / "project", invoice_rows(5))
    fault = Fault(match="POST customerinvoice", kind="hang", nth=2, delay_s=1)
    with Sandbox(tmp_path / "sandbox", settings=Settings(faults=(fault,))) as box:
        with program(project, box.base_url) as process:
            wait_for(lambda: inspect.writes(tmp_path / "sandbox") == 2)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
        ran = import_into(project, box.base_url)
        found = references(inspect.documents(tmp_path / "sandbox", INVOICE))

    assert process.returncode == 6
    assert (ran.code, ran.counts) == (0, {"already_accepted": 2, "accepted": 3})
    assert found == keys(5)


@POSIX
def test_a_terminal_that_closes_twice_gives_nothing_up(tmp_path: Path) -> None:
    """Shell and system both tell of it: the document in flight is waited for all the same, and there is a report."""
    with open_firm("sqlite", tmp_path, 3) as firm:
        firm.box.faults[:] = [Fault(match=WRITE, kind="hang", nth=2, delay_s=1)]
        with firm.running("--report", "closed") as process:
            wait_for(lambda: firm.writes == 2)
            for _ in range(2):
                process.send_signal(signal.SIGHUP)
                time.sleep(0.2)
            ran = firm.ended(process)

    assert (ran.code, firm.states("F0002")) == (6, ["accepted"])
    assert (firm.project / "closed" / "results.json").exists()


@POSIX
def test_a_run_that_is_to_outlive_its_terminal_does(tmp_path: Path) -> None:
    """Where the signal is ignored, as nohup lets it be, the run goes on to its end."""
    with open_firm("sqlite", tmp_path, 3) as firm:
        firm.box.faults[:] = [Fault(match=WRITE, kind="hang", nth=2, delay_s=0.5)]
        with firm.running(within="trap '' HUP") as process:
            wait_for(lambda: firm.writes == 2)
            process.send_signal(signal.SIGHUP)
            ran = firm.ended(process)

    assert (ran.code, ran.counts) == (0, {"accepted": 3})


@POSIX
def test_a_second_ctrl_c_gives_up_the_document_in_flight_and_leaves_it_in_doubt(tmp_path: Path) -> None:
    """The run does not wait for the answer and exits 5; the next one finds the document, and never sends it again."""
    project = make_project(tmp_path / "project", invoice_rows(5))
    fault = Fault(match="POST customerinvoice", kind="hang", nth=2, delay_s=30)
    with Sandbox(tmp_path / "sandbox", settings=Settings(faults=(fault,))) as box:
        with program(project, box.base_url) as process:
            wait_for(lambda: inspect.writes(tmp_path / "sandbox") == 2)
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
            took = time.monotonic() - started
        box.faults.clear()
        ran = import_into(project, box.base_url)
        found = references(inspect.documents(tmp_path / "sandbox", INVOICE))

    assert process.returncode == 5
    assert took < 10
    assert (ran.code, ran.counts) == (0, {"already_accepted": 2, "accepted": 3})
    assert found == keys(5)


@POSIX
@pytest.mark.parametrize("signals", [1, 2, 3])
def test_ctrl_c_at_any_moment_says_no_false_word_and_never_doubles(tmp_path: Path, signals: int) -> None:
    """However the signals fall: no bug, no traceback, never "nothing was sent", and no document twice."""
    project = make_project(tmp_path / "project", invoice_rows(120))
    chance = random.Random(7)
    wrong = []
    for _ in range(4):
        with program(project) as process:
            under_way(process)
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
                time.sleep(chance.random() * 0.006)
            _, errors = process.communicate(timeout=60)
        if process.returncode not in {0, 5, 6} or "nothing was sent" in errors or "Traceback" in errors:
            wrong.append((process.returncode, errors[-500:]))
        if len(held(project)) == 120:
            break
    run_here(project)
    found = held(project)

    assert len(found) == len(set(found))
    assert wrong == []


def test_a_kill_while_the_run_waits_for_the_limit_leaves_nothing_in_doubt(tmp_path: Path) -> None:
    """A document that the API turned away unprocessed is known not to be there, also when the wait never ends."""
    project = make_project(tmp_path / "project", invoice_rows(3))
    limits = iter([b"", http(429, Retry_After="600")])
    with RawServer(lambda number, _: next(limits, b"") or created(f"{number:06}")) as server:
        with program(project, server.base_url) as process:
            wait_for(lambda: len(server.requests) == 2)
            time.sleep(0.3)
            process.kill()
            process.wait(10)
        ran = import_into(project, server.base_url)

    assert (ran.code, ran.counts) == (0, {"already_accepted": 1, "accepted": 2})


def test_two_runs_at_the_same_moment_send_each_document_once(tmp_path: Path) -> None:
    """Two people start the same file together: every document is there exactly once."""
    project = make_project(tmp_path / "project", invoice_rows(60))
    with program(project) as one, program(project) as other:
        errors = [process.communicate(timeout=60)[1] for process in (one, other)]
    found = held(project)
    last = run_here(project)

    assert {one.returncode, other.returncode} <= {0, 5, 6}, errors
    assert found == keys(60)
    assert (last.code, last.counts) == (0, {"already_accepted": 60})
    assert len(list((project / "reports").iterdir())) == 3
