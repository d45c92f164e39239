"""Killed with SIGKILL at one exact moment, on both databases: never twice, never lost, and the report can be had."""

import re
import sys
from json import loads
from pathlib import Path
from random import Random
from zipfile import ZipFile

import openpyxl
import pytest
from databases import BOTH
from defusedxml.ElementTree import parse
from firm import BLIND, WRITE, Firm, keys, open_firm, wait_for
from killing import Killer
from struck import COUNT, firm, killer

from importer.sandbox import Fault

__all__ = ["firm", "killer"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

#: Where a run that sends six documents one by one is killed; the states of F0003's attempts then, and whether the
#: company comes to hold it.
MOMENTS: dict[str, tuple[str, list[str], bool]] = {
    "before the run is written down": ("call Journal.start_run 1", [], False),
    "before the claim": ("call Journal.claim 3", [], False),
    "within the claim's transaction": ("call Journal.claim 3, return Journal._insert_claim 1", [], False),
    "between claim and send": ("return Journal.claim 3", ["sending"], False),
    "before the first byte": ("call Session.write 3, call _Watched.send 1", ["sending"], False),
    "between head and body": ("call Session.write 3, call _Watched.send 2", ["sending"], False),
    "after the last byte": ("call Session.write 3, return _Watched.send 2", ["sending"], True),
    "after the answer": ("call Session.write 3, return Client.exchange 1", ["sending"], True),
    "between answer and settle": ("call Journal.settle 3", ["sending"], True),
    "within the settlement's transaction": (
        "call Journal.settle 3, return Journal.settle.<locals>.job 1",
        ["sending"],
        True,
    ),
    "after the settlement": ("return Journal.settle 3", ["accepted"], True),
    "before the run's end is written down": ("call Journal.finish_run 1", ["accepted"], True),
    "during the report": ("call write_report 1", ["accepted"], True),
}


def kill_run(killer: Killer, firm: Firm, moment: str, *options: str, workers: int = 1) -> None:
    """Kill a run at a moment."""
    killer.kill(moment, firm.arguments("--quiet", *options, workers=workers), firm.project)


def see_all_end_well(firm: Firm) -> None:
    """Let time pass; the next runs end with 0, and each document is in the company once."""
    last = firm.finish()[-1]
    assert set(last.counts) <= {"accepted", "already_accepted"}
    assert firm.held == keys(COUNT)


@pytest.mark.parametrize("when", MOMENTS)
def test_a_kill_at_any_step_of_a_document_never_doubles_and_never_loses_it(
    killer: Killer, firm: Firm, when: str
) -> None:
    """The journal says of it what is true, the killed run's report can be had, and the next runs complete the rest."""
    moment, states, there = MOMENTS[when]
    kill_run(killer, firm, moment)
    wait_for(lambda: ("F0003" in firm.held) is there)

    assert firm.states("F0003") == states
    runs = firm.rows("SELECT run_id, exit_code FROM run")
    assert len(runs) == (when != "before the run is written down")
    if runs:
        told = firm.report().document("F0003")["status"]
        assert told == {"sending": "unknown", "accepted": "accepted", "": "not_sent"}["".join(states)]
    see_all_end_well(firm)
    assert firm.states("F0003") == [{"sending": "not_sent"}.get(state, state) for state in states] * (not there) + [
        "accepted"
    ]


@pytest.mark.parametrize("when", ["between claim and send", "between head and body", "between answer and settle"])
def test_a_kill_while_four_documents_are_in_flight_never_doubles_and_never_loses_one(
    killer: Killer, firm: Firm, when: str
) -> None:
    """However many are in doubt then: at most four, each settled by looking."""
    kill_run(killer, firm, MOMENTS[when][0], workers=4)
    doubtful = [state for key in keys(COUNT) for state in firm.states(key) if state == "sending"]

    assert 1 <= len(doubtful) <= 4
    assert firm.report().counts["unknown"] == len(doubtful)
    see_all_end_well(firm)


@pytest.mark.parametrize("database", BOTH)
def test_kills_at_any_instruction_never_double_and_never_lose(killer: Killer, tmp_path: Path, database: str) -> None:
    """Four workers, killed at moments drawn over all their calls and returns, until nothing is left to kill."""
    chance, kills = Random(4), 0
    with open_firm(database, tmp_path, 40) as firm:
        while len(firm.held) < 40 and kills < 8:
            moment = f"call Run.execute 1, any * {chance.randrange(1, 10_000)}"
            struck = killer.start(moment, firm.arguments("--quiet", workers=4), firm.project)
            assert struck.wait() in {-9, 0, 5, 6}, struck.said
            kills += struck.code == -9
            assert len(firm.held) == len(set(firm.held)), "a document is there twice"
        firm.finish()
        print(f"measured: killed anywhere, {database}: {kills} times, {firm.writes} writes, {len(firm.held)} held")

        assert kills >= 4
        assert firm.held == keys(40)


#: Where the look-up at the run's end is killed, and the state of the one in doubt, which is there or not.
LOOKS = {
    "during the look-up": ("call Doubts.settle_own 1, return candidates 1", False),
    "within the decision's transaction": ("return Journal.decide.<locals>.job 1", False),
    "after the decision": ("return Journal.decide 1", True),
    "after the run's own note": ("return Journal.note 1", True),
}


@pytest.mark.parametrize("there", [True, False], ids=["there", "not there"])
@pytest.mark.parametrize("when", LOOKS)
def test_a_kill_during_the_look_up_at_the_runs_end_loses_no_doubt(
    killer: Killer, firm: Firm, when: str, there: bool
) -> None:
    """What was not decided yet stays in doubt; what was decided stays so, also in the report."""
    moment, decided = LOOKS[when]
    firm.box.faults.append(Fault(match=WRITE, kind="cut_after" if there else "cut_before", nth=3))
    kill_run(killer, firm, moment, "--settle-after", "0")
    state = ("accepted" if there else "not_sent") if decided else "unknown"

    assert firm.states("F0003") == [state]
    assert firm.report().document("F0003")["status"] == state
    see_all_end_well(firm)
    assert firm.writes == COUNT + (not there), "what was there was sent again"


#: Where the settling of two documents is killed: of F0002, which is there, and then of F0004, which is not.
SETTLINGS = {
    "return candidates 1": ["unknown", "unknown"],
    "return Journal.decide.<locals>.job 1": ["unknown", "unknown"],
    "return Journal.decide 1": ["accepted", "unknown"],
    "return Journal.decide 2": ["accepted", "not_sent"],
}


def doubt_two(firm: Firm) -> None:
    """Leave F0002, which is there, and F0004, which is not, in doubt."""
    faults = [Fault(match=WRITE, kind="cut_after", nth=2), Fault(match=WRITE, kind="cut_before", nth=4), BLIND]
    firm.box.faults.extend(faults)
    assert firm.run().counts == {"accepted": 4, "unknown": 2}
    firm.box.faults.clear()
    firm.ahead_s += 700


@pytest.mark.parametrize("moment", SETTLINGS)
@pytest.mark.parametrize("command", ["resolve", "run"])
def test_a_kill_while_earlier_doubts_are_settled_leaves_each_settled_or_in_doubt(
    killer: Killer, firm: Firm, command: str, moment: str
) -> None:
    """Killed during `resolve`, or during the look-up at a run's start: nothing is half decided."""
    doubt_two(firm)
    arguments = firm.arguments("--quiet") if command == "run" else ["resolve", *firm.told]
    killer.kill(moment, arguments, firm.project)

    assert [*firm.states("F0002"), *firm.states("F0004")] == SETTLINGS[moment]
    reported = firm.report()
    assert [reported.document(key)["status"] for key in ("F0002", "F0004")] == SETTLINGS[moment]
    see_all_end_well(firm)
    assert firm.writes == COUNT + 1


@pytest.mark.parametrize(
    ("moment", "state"),
    [("return Journal.decide.<locals>.job 1", "unknown"), ("return Journal.decide 1", "not_sent")],
)
def test_a_persons_word_is_written_down_whole_or_not_at_all(
    killer: Killer, firm: Firm, moment: str, state: str
) -> None:
    """Killed while `--not-there` is written: before the commit nothing is decided, after it all is."""
    doubt_two(firm)
    killer.kill(moment, ["resolve", "--key", "F0004", "--not-there", "--yes", *firm.told], firm.project)

    decided = firm.rows("SELECT decided_by IS NOT NULL FROM attempt WHERE key = 'F0004'")
    assert (firm.states("F0004"), [bool(by) for (by,) in decided]) == ([state], [state == "not_sent"])
    assert firm.report().document("F0004")["status"] == state
    see_all_end_well(firm)


def whose(file: Path) -> str:
    """Return the run that a file of a report belongs to, having read the whole file."""
    if file.suffix == ".json":
        return str(loads(file.read_text(encoding="utf-8"))["run_id"])
    if file.suffix == ".xml":
        return str(parse(file).find("testsuite/properties/property[@name='run_id']").attrib["value"])
    if file.suffix == ".html":
        text = file.read_text(encoding="utf-8")
        assert text.endswith("</html>\n")
        return str(re.findall("<dt>Run</dt><dd[^>]*>([^<]+)</dd>", text)[0])
    if file.suffix == ".md":
        (found_id,) = re.findall(r"^Run (\w+), exit code", file.read_text(encoding="utf-8"), re.MULTILINE)
        return str(found_id)
    with ZipFile(file) as archive:
        assert archive.testzip() is None
    book = openpyxl.load_workbook(file)
    found = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row if cell.value]
    (run_id,) = [str(found[place + 1]) for place, value in enumerate(found) if value == "Run"]
    return run_id


@pytest.mark.parametrize(
    "moment",
    [
        "call write_report 1",
        "return _write_workbook 1",
        "return _write_json 1",
        "return _write_html 1",
        "return _write_junit 1",
        "return _write_summary 1",
        "call _put_in_place 1",
        "call _put_in_place 1, return Path.unlink 1",
        "call _put_in_place 1, return Path.replace 1",
        "call _put_in_place 1, return Path.replace 2",
        "call _put_in_place 1, return Path.replace 3",
        "call _put_in_place 1, return Path.replace 4",
        "call _put_in_place 1, return Path.replace 5",
        "return _put_in_place 1",
    ],
)
def test_a_kill_during_the_report_never_leaves_files_of_two_runs(killer: Killer, tmp_path: Path, moment: str) -> None:
    """A report is written over an older one: whenever the process dies, each file is whole and all are of one run."""
    with open_firm("sqlite", tmp_path, 3) as firm:
        old = firm.run("--report", firm.project / "report")
        kill_run(killer, firm, moment, "--report", "report")
        files = {file.name: whose(file) for file in old.folder.iterdir() if file.is_file()}
        new = firm.report("report")

        assert "results.xlsx" in files
        assert set(files.values()) in ({old.run_id}, {new.run_id}), f"files of two runs: {files}"
        assert {whose(firm.project / "report" / name) for name in files} == {new.run_id}
