"""Say in plain words what a status, an exit code and a problem mean, and what to do next."""

import os
import re
import shlex
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from importer.allowance import allowed_in, in_words
from importer.model import Outcome, Problem, RunRecord, Status
from importer.report.checked import CheckRecord
from importer.report.counts import Count

NOTICE: Final = "sandbox: nothing reached Visma"
#: What is said of a document until its turn comes.
WAITING: Final = "The run ended before the document was sent. Run again."
MEANINGS: Final[dict[Status, str]] = {
    Status.ACCEPTED: "Visma confirmed it in this run. Nothing to do.",
    Status.ALREADY_ACCEPTED: "It was there before with the same content; nothing was sent. Nothing to do.",
    Status.CHANGED: "It is in Visma with other content; nothing was sent. A person decides: see its message.",
    Status.INVALID: "The rows have mistakes; nothing was sent. Correct them in this workbook, then run again.",
    Status.FILTERED: "Left out by the mapping or the command; nothing was sent. Check that this is meant.",
    Status.REJECTED: "Visma refused it, so it is not there. Correct what the message says, then run again.",
    Status.NOT_SENT: "It never reached Visma. Run again to send it.",
    Status.UNKNOWN: "It may or may not be in Visma. Do not enter it by hand; run 'visma-import resolve' first.",
}
_READY: Final = "It is ready to be sent. Nothing to do."
#: What keeps a document from being done with, the most pressing first.
PRESSING: Final = (Status.UNKNOWN, Status.CHANGED, Status.REJECTED, Status.INVALID, Status.NOT_SENT)
#: What a reader cannot see, or what no page and no XML may hold; line ends and tabs are none of it.
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
#: A time as the journal writes it; what is less than a second is not shown.
_USUAL_TIME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,6})?Z")
_EXITS: Final = {
    0: "Every document was accepted, already accepted or filtered.",
    1: "A mistake in the program ended the run. Run again, and report the mistake.",
    2: "The command line was not understood.",
    3: "The run could not start; nothing was sent.",
    4: "The run finished; some documents are invalid, rejected or changed.",
    5: "Some documents may or may not be in Visma. Resolve them before anything else.",
    6: "The run ended before everything was sent; nothing is in doubt, so it is safe to run again.",
}


def notice(record: RunRecord) -> str:
    """Return the line that tells a run on the simulated API from a real one; empty for a real one."""
    return NOTICE if record.simulated else ""


def exit_meaning(code: int | None) -> str:
    """Explain an exit code; None is a run whose end was never written down."""
    if code is None:
        return "The end of the run was not written down: it was ended from outside, or still goes on."
    return _EXITS.get(code, "This exit code is not one of the program's own.")


def result(record: RunRecord, counts: Dictionary[Status, Count]) -> str:
    """Say how a run ended, with what it left of what it was allowed to leave."""
    return told_of(record, record.exit_code, counts)


def told_of(record: RunRecord, code: int | None, counts: Dictionary[Status, Count]) -> str:
    """Say what an exit code means of a run, or of a sequence of which it is a step."""
    means = exit_meaning(code)
    left = in_words(allowed_in(record), {status: counted.documents for status, counted in counts.items()})
    if not left:
        return means
    if code == 0:
        return f"{left}. Every other document was accepted, already accepted or filtered."
    return f"{means} {left}."


def is_check(record: RunRecord) -> bool:
    """Tell whether nothing was to be sent: the report is a check's."""
    return isinstance(record, CheckRecord)


def meaning(record: RunRecord, status: Status) -> str:
    """Say what a status means in a run or a check, and what to do next."""
    return _READY if is_check(record) and status is Status.NOT_SENT else MEANINGS[status]


def facts(record: RunRecord) -> dict[str, str]:
    """Return what a run or a check was, by label."""
    finished = moment(record.finished_at) if record.finished_at else "not written down"
    went = {} if is_check(record) else {"Target": record.target, "Run": record.run_id}
    return {
        "Workbook": record.workbook_name,
        "Sheet": record.sheet,
        "Mapping": record.mapping_name,
        "Endpoint": record.endpoint,
        **went,
        "Started": moment(record.started_at),
        "Finished": finished,
    }


def reach(record: RunRecord) -> str:
    """Say how far a run went: into the simulated API, into a company, or nowhere."""
    if record.simulated:
        return NOTICE
    return "check: nothing was sent" if is_check(record) else f"sent to Visma: target {record.target}"


def ending(record: RunRecord, counts: Dictionary[Status, Count]) -> str:
    """Say how a run ended, and how far it went where that is not plain."""
    if is_check(record):
        return "This was a check: nothing was sent."
    return result(record, counts)


def headline(record: RunRecord, counts: Dictionary[Status, Count]) -> str:
    """Say in one sentence what happened, what presses most first."""
    total = sum(counted.documents for counted in counts.values())
    if isinstance(record, CheckRecord) and record.held:
        problems = f"{len(record.held):,} problem{'' if len(record.held) == 1 else 's'}"
        return f"Nothing can be sent: the file as a whole has {problems}."
    if is_check(record):
        ready, wrong = counts[Status.NOT_SENT].documents, counts[Status.INVALID].documents
        return f"{ready:,} of {_documents(total)} {_are(ready)} ready to send, {wrong:,} {_are(wrong)} invalid."
    if record.exit_code is None:
        return "The run's end was not written down."
    if doubtful := counts[Status.UNKNOWN].documents:
        return f"{doubtful:,} of {_documents(total)} may or may not be in Visma."
    if left := counts[Status.NOT_SENT].documents:
        return f"{left:,} of {_documents(total)} {_were(left)} not sent."
    if wrong := sum(counts[status].documents for status in PRESSING):
        return f"{wrong:,} of {_documents(total)} {'needs' if wrong == 1 else 'need'} attention."
    return _all_well({status: counted.documents for status, counted in counts.items() if counted.documents})


def label(status: Status) -> str:
    """Return a status as it reads in a sentence."""
    return status.value.replace("_", " ")


def first_sentence(text: str) -> tuple[str, str]:
    """Split a message into its first sentence, what is wrong, and the rest, what to do."""
    first, *rest = re.split(r"(?<=[.!?])\s+(?=[^\W\d_a-z])|\n", text.strip(), maxsplit=1)
    return first, "".join(rest)


def moment(text: str) -> str:
    """Write a time of the journal as people read it, in UTC; a text that is no time stays as it is."""
    usual = _USUAL_TIME.fullmatch(text)
    return _moment(f"{usual[1]}Z" if usual else text) or text


@lru_cache(maxsize=1_000)
def _moment(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return ""


def legible(text: str) -> str:
    """Return a text with unseen characters written as the escapes of Python's strings; line ends are plain."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(lambda found: repr(found[0])[1:-1], text.replace("\r\n", "\n").replace("\r", "\n"))


def equation(rows_read: int, rows: Sequence[int]) -> str:
    """Write that every row read is in one status, or that the program lost count."""
    terms = " + ".join(f"{number:,}" for number in rows) or "0"
    if sum(rows) == rows_read:
        return f"Rows read: {rows_read:,} = {terms}. Every row is accounted for."
    return f"Rows read: {rows_read:,}, but {terms} = {sum(rows):,}. This is a mistake in the program; report it."


def document_message(outcome: Outcome) -> str:
    """Return everything that is to be said of a document, each problem with its row."""
    if not outcome.problems:
        return outcome.message or ("" if outcome.status is Status.ACCEPTED else MEANINGS[outcome.status])
    told = [outcome.message]
    for problem in outcome.problems:
        place = f"Row {problem.row}, " if problem.row is not None and len(outcome.rows) > 1 else ""
        told.append(place + problem_text(problem))
    lines = list(dict.fromkeys(line for line in told if line))
    if not lines and outcome.status is not Status.ACCEPTED:
        return MEANINGS[outcome.status]
    return "\n".join(lines)


def _documents(count: int) -> str:
    return f"{count:,} document{'' if count == 1 else 's'}"


def _all_well(counts: Dictionary[Status, int]) -> str:
    ends = {
        Status.ACCEPTED: "accepted",
        Status.ALREADY_ACCEPTED: "there before with the same content",
        Status.FILTERED: "left out",
    }
    found = [(counts[status], end) for status, end in ends.items() if status in counts]
    if not found:
        return "There was no document to send."
    (count, end), *others = found
    whole = "All " if not others and count > 1 else ""
    rest = "".join(f", {other:,} {_were(other)} {how}" for other, how in others)
    return f"{whole}{_documents(count)} {_were(count)} {end}{rest}."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def row_message(outcome: Outcome, row: int) -> str:
    """Return what the user reads beside one row of a document."""
    if not outcome.problems:
        return document_message(outcome)
    own = [problem for problem in outcome.problems if problem.row in {row, None}]
    lines = [outcome.message, *(problem_text(problem) for problem in own)]
    if outcome.status is Status.INVALID and not own:
        lines.append(_held(outcome.problems))
    told = list(dict.fromkeys(line for line in lines if line))
    if not told and outcome.status is not Status.ACCEPTED:
        return MEANINGS[outcome.status]
    return "\n".join(told)


def problem_text(problem: Problem) -> str:
    """Write a problem with the header of its column before it."""
    return f"{problem.column}: {problem.message}" if problem.column else problem.message


def _held(problems: tuple[Problem, ...]) -> str:
    if not problems:
        return ""
    more = len(problems) - 1
    rest = f" (and {more} more problem{'s' if more > 1 else ''})" if more else ""
    return f"Held because of row {problems[0].row}: {problem_text(problems[0])}{rest}"


def typed(text: str) -> str:
    """Return a file's or a target's name as people type it into a command line, in quotes where it needs them."""
    if os.name == "nt":
        from subprocess import list2cmdline

        return list2cmdline([text])
    return shlex.quote(text)
