"""Write results.junit.xml: one test case for each document, as servers that build and test read them.

Source: the schema of the Jenkins plug-in `xunit` (junit-10.xsd), which other servers' readers agree with.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET  # only written here, never read

from importer.findings import row_list
from importer.grouping import title_of
from importer.model import Outcome, Problem, RunRecord, Status
from importer.report.checked import CheckRecord
from importer.report.contents import Contents
from importer.report.counts import count
from importer.report.words import (
    document_message,
    ending,
    first_sentence,
    headline,
    is_check,
    label,
    legible,
    problem_text,
    reach,
)

#: What became of a document in the words of tests; what is not here has passed.
VERDICTS: Final = {
    Status.CHANGED: "failure",
    Status.INVALID: "failure",
    Status.REJECTED: "failure",
    Status.NOT_SENT: "error",
    Status.UNKNOWN: "error",
    Status.FILTERED: "skipped",
}
_COUNTS: Final = {"failures": "failure", "errors": "error", "skipped": "skipped"}


@dataclass(frozen=True, slots=True)
class _Case:
    """Hold one test case."""

    name: str
    #: the element that tells it; empty where it has passed
    verdict: str
    kind: str
    #: the message in one line, and whole
    first: str
    whole: str


def write(target: Path, told: Contents) -> None:
    """Write a run's documents as test cases."""
    write_all(target, [(told.record, told.outcomes)])


def write_all(target: Path, runs: Sequence[tuple[RunRecord, Sequence[Outcome]]]) -> None:
    """Write the documents of several runs, a suite for each."""
    tree = ET.ElementTree(suites(runs))
    ET.indent(tree)
    tree.write(target, encoding="utf-8", xml_declaration=True)


def suites(runs: Sequence[tuple[RunRecord, Sequence[Outcome]]]) -> ET.Element:
    """Return each run as one suite of tests; a check's problems of the whole file are cases of their own."""
    root = ET.Element("testsuites", {"name": "visma-import"})
    found = [_suite(record, outcomes) for record, outcomes in runs]
    for name in ("tests", *_COUNTS):
        if name != "skipped":
            root.set(name, str(sum(int(suite.get(name, "0")) for suite in found)))
    root.set("time", f"{sum(_seconds(record) for record, _ in runs):.3f}")
    root.extend(found)
    return root


def _suite(record: RunRecord, outcomes: Sequence[Outcome]) -> ET.Element:
    held = record.held if isinstance(record, CheckRecord) else ()
    cases = [*map(_whole_file, held), *(_document(record, outcome) for outcome in outcomes)]
    verdicts = Counter(case.verdict for case in cases)
    counted = {"tests": str(len(cases)), **{name: str(verdicts[verdict]) for name, verdict in _COUNTS.items()}}
    name = legible(record.step_name or record.mapping_name)
    told = {"name": name, **counted, "time": f"{_seconds(record):.3f}", "timestamp": _stamp(record)}
    suite = ET.Element("testsuite", told)
    properties = ET.SubElement(suite, "properties")
    for known, text in _properties(record).items():
        ET.SubElement(properties, "property", {"name": known, "value": legible(text)})
    for case in cases:
        _add(suite, name, case)
    counts = count(outcomes)
    said = [reach(record), headline(record, counts), ending(record, counts)]
    ET.SubElement(suite, "system-out").text = legible("\n".join(said))
    if record.stopped:
        ET.SubElement(suite, "system-err").text = legible(f"Stopped early: {record.stopped}")
    return suite


def _whole_file(problem: Problem) -> _Case:
    message = problem_text(problem)
    return _Case(f"whole file: {title_of(problem.code)}", "failure", "invalid", message, message)


def _document(record: RunRecord, outcome: Outcome) -> _Case:
    key = "no key" if outcome.key is None else outcome.key
    name = f"{key} ({record.sheet} {row_list(outcome.rows)})"
    message = document_message(outcome)
    first = f"{label(outcome.status)}: {first_sentence(message)[0]}"
    # what a check finds ready has passed, although it was not sent
    ready = is_check(record) and outcome.status is Status.NOT_SENT
    return _Case(name, "" if ready else VERDICTS.get(outcome.status, ""), outcome.status.value, first, message)


def _add(suite: ET.Element, mapping: str, case: _Case) -> None:
    element = ET.SubElement(suite, "testcase", {"classname": mapping, "name": legible(case.name)})
    if case.verdict:
        told = {"message": legible(case.first), "type": case.kind}
        ET.SubElement(element, case.verdict, told).text = legible(case.whole)
    elif case.whole:
        ET.SubElement(element, "system-out").text = legible(case.whole)


def _properties(record: RunRecord) -> dict[str, str]:
    return {
        "run_id": record.run_id,
        "endpoint": record.endpoint,
        "workbook": record.workbook_name,
        "target": record.target,
        "simulated": str(record.simulated).lower(),
        "started_at": record.started_at,
        "finished_at": record.finished_at or "",
        "exit_code": "" if record.exit_code is None else str(record.exit_code),
    }


def _seconds(record: RunRecord) -> float:
    if record.finished_at is None:
        return 0.0
    took = datetime.fromisoformat(record.finished_at) - datetime.fromisoformat(record.started_at)
    return max(took.total_seconds(), 0.0)


def _stamp(record: RunRecord) -> str:
    """Return when the run began, in UTC, as the schema wants it: without a zone."""
    return f"{datetime.fromisoformat(record.started_at).astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
