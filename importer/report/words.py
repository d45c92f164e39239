"""Say in plain words what a status, an exit code and a problem mean, and what to do next."""

from collections.abc import Mapping as Dictionary
from typing import Final

from importer.model import Outcome, Problem, RunRecord, Status

NOTICE: Final = "sandbox: nothing reached Visma"
MEANINGS: Final[Dictionary[Status, str]] = {
    Status.ACCEPTED: "Visma confirmed it in this run. Nothing to do.",
    Status.ALREADY_ACCEPTED: "It was there before with the same content; nothing was sent. Nothing to do.",
    Status.CHANGED: "It is in Visma with other content; nothing was sent. A person decides: see its message.",
    Status.INVALID: "The rows have mistakes; nothing was sent. Correct them in this workbook, then run again.",
    Status.FILTERED: "Left out by the mapping or the command; nothing was sent. Check that this is meant.",
    Status.REJECTED: "Visma refused it, so it is not there. Correct what the message says, then run again.",
    Status.NOT_SENT: "It never reached Visma. Run again to send it.",
    Status.UNKNOWN: "It may or may not be in Visma. Do not enter it by hand; run 'visma-import resolve' first.",
}
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


def row_message(outcome: Outcome, row: int) -> str:
    """Return what the user reads beside one row of a document."""
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
