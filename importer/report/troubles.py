"""Put together what has one cause: refusals, mistakes in cells, and whatever else keeps documents from being done.

Refusals of the ERP come grouped already; everything else is told in the program's own words.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeVar

from importer.causes import Group
from importer.grouping import title_of
from importer.model import Outcome, Problem, RunRecord, Status
from importer.report.checked import CheckRecord
from importer.report.contents import Contents
from importer.report.words import MEANINGS, PRESSING, first_sentence, is_check

_Item = TypeVar("_Item")

#: What may differ between messages of one cause: quoted values, and words that hold a digit.
_VARYING: Final = re.compile(r"'[^']*'|\"[^\"]*\"|(?<=--key )\S+|\b(?=\w*\d)\w+(?:[.,:/-](?=\w*\d)\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Hold the documents that one cause keeps from being done."""

    status: Status
    #: what is wrong, in a few words or one sentence
    title: str
    #: the rest of it, and what to do
    text: str
    #: what it is about, such as customer numbers, values of cells or keys; distinct, in the order of the documents
    subjects: tuple[str, ...]
    #: the documents' positions in the plan; empty for the file as a whole
    positions: tuple[int, ...]
    #: the rows it concerns
    rows: tuple[int, ...]


def troubles(told: Contents) -> list[Trouble]:
    """Return the causes of trouble of a run, the most pressing and then the most frequent first."""
    record, outcomes = told.record, told.outcomes
    found = [*map(_refused, told.refusals), *_mistaken(outcomes), *_others(record, outcomes)]
    found.sort(key=lambda one: (PRESSING.index(one.status), -len(one.positions)))
    return [*_of_the_file(record), *found]


def warnings(record: RunRecord) -> list[Trouble]:
    """Return what a check found odd, of one kind and column together; it keeps no document from being sent."""
    return _alike((problem, None) for problem in record.warnings) if isinstance(record, CheckRecord) else []


def _of_the_file(record: RunRecord) -> list[Trouble]:
    """Return what is wrong with the file as a whole, which only a check's report can hold."""
    return _alike((problem, None) for problem in record.held) if isinstance(record, CheckRecord) else []


def _refused(refusals: Group) -> Trouble:
    return Trouble(
        status=Status.REJECTED,
        title=refusals.text,
        text=refusals.advice,
        subjects=refusals.subjects or refusals.keys,
        positions=tuple(outcome.position for outcome in refusals.outcomes),
        rows=refusals.rows,
    )


def _mistaken(outcomes: Sequence[Outcome]) -> list[Trouble]:
    invalid = (outcome for outcome in outcomes if outcome.status is Status.INVALID)
    return _alike((problem, outcome) for outcome in invalid for problem in outcome.problems)


def _alike(problems: Iterable[tuple[Problem, Outcome | None]]) -> list[Trouble]:
    """Put together the problems of one kind in one column, each with the document that has it."""
    groups: dict[tuple[str | None, str], list[tuple[Problem, Outcome | None]]] = {}
    for problem, outcome in problems:
        groups.setdefault((problem.column, problem.code), []).append((problem, outcome))
    return [
        Trouble(
            status=Status.INVALID,
            title=f"{column}: {title_of(code)}" if column else title_of(code),
            text=_common([problem.message for problem, _ in members]),
            subjects=_distinct(problem.value for problem, _ in members if problem.value is not None),
            positions=_distinct(outcome.position for _, outcome in members if outcome),
            rows=_distinct(row for problem, outcome in members for row in _places(problem, outcome)),
        )
        for (column, code), members in groups.items()
    ]


def _places(problem: Problem, outcome: Outcome | None) -> tuple[int, ...]:
    if problem.row is not None:
        return (problem.row,)
    return outcome.rows[:1] if outcome else ()


def _others(record: RunRecord, outcomes: Sequence[Outcome]) -> Iterator[Trouble]:
    """Put together the documents that something else than a refusal or a mistake in a cell keeps from being done."""
    told = {Status.UNKNOWN, Status.CHANGED, Status.INVALID} | (set() if is_check(record) else {Status.NOT_SENT})
    alike: dict[tuple[Status, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.status in told and not (outcome.status is Status.INVALID and outcome.problems):
            alike.setdefault((outcome.status, _kind(_said(outcome))), []).append(outcome)
    for (status, _), members in alike.items():
        title, text = first_sentence(_common([_said(outcome) for outcome in members]))
        yield Trouble(
            status=status,
            title=title,
            text=text,
            subjects=_distinct(outcome.key for outcome in members if outcome.key is not None),
            positions=tuple(outcome.position for outcome in members),
            rows=tuple(row for outcome in members for row in outcome.rows),
        )


def _said(outcome: Outcome) -> str:
    return outcome.message or MEANINGS[outcome.status]


def _kind(message: str) -> str:
    """Return a message without what may differ between messages of its cause."""
    return _VARYING.sub("…", message)


def _common(messages: Sequence[str]) -> str:
    """Return what messages have in common, three dots for what differs; the first where they are of several kinds."""
    different = list(dict.fromkeys(messages))
    if len({_kind(message) for message in different}) > 1:
        return different[0]
    shared = [
        found[0] if len(set(found)) == 1 else "…"
        for found in zip(*(_VARYING.findall(message) for message in different), strict=True)
    ]
    return "".join(chain(*zip(_VARYING.split(different[0]), [*shared, ""], strict=True)))


def _distinct(items: Iterable[_Item]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(items))
