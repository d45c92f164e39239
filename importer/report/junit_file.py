"""Write results.junit.xml: one test case for each document, as servers that build and test read them.

Source: the schema of the Jenkins plug-in `xunit` (junit-10.xsd), which other servers' readers agree with.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final

from importer.findings import row_list
from importer.grouping import title_of
from importer.model import Outcome, RunRecord, Status
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
_BUFFER: Final = 1 << 18


def write(target: Path, told: Contents) -> None:
    """Write a run's documents as test cases."""
    write_all(target, [(told.record, told.outcomes)])


def write_all(target: Path, runs: Sequence[tuple[RunRecord, Sequence[Outcome]]]) -> None:
    """Write the documents of several runs, a suite for each, one case after the other.

    A check's problems of the whole file are cases of their own.
    """
    with target.open("w", encoding="utf-8", newline="\n", buffering=_BUFFER) as file:
        file.write("<?xml version='1.0' encoding='utf-8'?>\n")
        told = [_counts(record, outcomes) for record, outcomes in runs]
        sums = {name: str(sum(int(counted[name]) for counted in told)) for name in ("tests", "failures", "errors")}
        took = f"{sum(_seconds(record) for record, _ in runs):.3f}"
        file.write(_tag("testsuites", {"name": "visma-import", **sums, "time": took}) + (">\n" if runs else " />"))
        for (record, outcomes), counted in zip(runs, told, strict=True):
            file.writelines(_suite(record, outcomes, counted))
        file.write("</testsuites>" if runs else "")


def _counts(record: RunRecord, outcomes: Sequence[Outcome]) -> dict[str, str]:
    held = record.held if isinstance(record, CheckRecord) else ()
    verdicts = Counter({"failure": len(held)})
    for status, counted in count(outcomes).items():
        verdicts[_verdict(record, status)] += counted.documents
    return {"tests": str(verdicts.total()), **{name: str(verdicts[verdict]) for name, verdict in _COUNTS.items()}}


def _suite(record: RunRecord, outcomes: Sequence[Outcome], counted: dict[str, str]) -> Iterator[str]:
    name = record.step_name or record.mapping_name
    told = {"name": name, **counted, "time": f"{_seconds(record):.3f}", "timestamp": _stamp(record)}
    yield f"  {_tag('testsuite', told)}>\n    <properties>\n"
    for known, text in _properties(record).items():
        yield f"      {_tag('property', {'name': known, 'value': text})} />\n"
    yield "    </properties>\n"
    for problem in record.held if isinstance(record, CheckRecord) else ():
        message = problem_text(problem)
        case = _tag("testcase", {"classname": name, "name": f"whole file: {title_of(problem.code)}"})
        yield _case(case, "failure", "invalid", message, message)
    before = _tag("testcase", {"classname": name})
    # what they have alike is looked up once
    verdicts = {status: _verdict(record, status) for status in Status}
    for outcome in outcomes:
        key = "no key" if outcome.key is None else outcome.key
        case = f'{before} name="{_value(f"{key} ({record.sheet} {row_list(outcome.rows)})")}"'
        message, verdict = document_message(outcome), verdicts[outcome.status]
        first = f"{label(outcome.status)}: {first_sentence(message)[0]}" if verdict else ""
        yield _case(case, verdict, outcome.status.value, first, message)
    counts = count(outcomes)
    said = [reach(record), headline(record, counts), ending(record, counts)]
    yield f"    {_element('system-out', _text(chr(10).join(said)))}"
    if record.stopped:
        yield f"    {_element('system-err', _text(f'Stopped early: {record.stopped}'))}"
    yield "  </testsuite>\n"


def _verdict(record: RunRecord, status: Status) -> str:
    """Return the element that tells of a case; empty where it has passed."""
    # what a check finds ready has passed, although it was not sent
    return "" if is_check(record) and status is Status.NOT_SENT else VERDICTS.get(status, "")


def _case(case: str, verdict: str, kind: str, first: str, whole: str) -> str:
    """Write a test case: `first` is the message in one line, `whole` all of it."""
    if verdict:
        told = _element(_tag(verdict, {"message": first, "type": kind})[1:], _text(whole), verdict)
        return f"    {case}>\n      {told}    </testcase>\n"
    if whole:
        return f"    {case}>\n      {_element('system-out', _text(whole))}    </testcase>\n"
    return f"    {case} />\n"


def _element(start: str, text: str, name: str = "") -> str:
    return f"<{start}>{text}</{name or start}>\n" if text else f"<{start} />\n"


def _tag(name: str, told: dict[str, str]) -> str:
    """Return the beginning of an element, its end left open."""
    return f"<{name}" + "".join(f' {known}="{_value(text)}"' for known, text in told.items())


def _value(text: str) -> str:
    """Write a text as an attribute's value holds it: line ends and tabs would be read as blanks."""
    shown = _text(text).replace('"', "&quot;")
    return shown if shown.isprintable() else shown.replace("\t", "&#09;").replace("\n", "&#10;")


def _text(text: str) -> str:
    return escape(legible(text), quote=False)


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
