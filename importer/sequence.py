"""Hold the plans of a sequence against each other: what one step refers to, an earlier one must make. Pure."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from functools import partial

from importer.findings import row_list
from importer.grouping import causes
from importer.model import Document, Problem, Reference, Status
from importer.plan import Plan


@dataclass(frozen=True, slots=True)
class Planned:
    """Hold the plan of one step."""

    name: str
    plan: Plan


def hold_together(steps: Sequence[Planned], known: Callable[[int, Reference], bool]) -> list[Plan]:
    """Return the plans; a document that refers to one which no step makes is invalid now.

    `known` tells, by the step's place, of what an earlier run made.
    """
    plans: list[Plan] = []
    made: dict[str, dict[str, list[Document]]] = {}
    for place, step in enumerate(steps):
        plans.append(_checked(step.plan, made, partial(known, place)))
        own = made.setdefault(step.name, {})
        for document in step.plan.documents:
            if document.key is not None:
                own.setdefault(document.key, []).append(document)
    return plans


def _checked(
    plan: Plan,
    made: Dictionary[str, Dictionary[str, list[Document]]],
    known: Callable[[Reference], bool],
) -> Plan:
    problems: list[Problem] = []
    warnings: list[Problem] = []
    documents: list[Document] = []
    for document in plan.documents:
        own: list[Problem] = []
        for reference in document.references if document.status is None else ():
            lacking = _lacking(reference, made)
            if not lacking or known(reference):
                continue
            told = Problem(
                sheet=plan.sheet.name,
                row=reference.row or document.rows[0],
                column=reference.column,
                value=reference.key,
                code="reference_earlier" if reference.earlier else "reference_missing",
                message=lacking,
            )
            (warnings if reference.earlier else own).append(told)
        problems += own
        documents.append(replace(document, status=Status.INVALID, problems=tuple(own)) if own else document)
    if not problems and not warnings:
        return plan
    first = len(plan.held)
    others = sorted([*plan.problems[first:], *problems], key=lambda problem: problem.row or 0)
    found = dict.fromkeys([*plan.held, *(problem for document in documents for problem in document.problems)])
    return replace(
        plan,
        documents=tuple(documents),
        problems=(*plan.held, *others),
        causes=tuple(causes(found, plan.sheet.headers)),
        warnings=(*plan.warnings, *warnings),
    )


def _lacking(reference: Reference, made: Dictionary[str, Dictionary[str, list[Document]]]) -> str:
    """Say why no earlier step makes a document; empty where one does, or where it is no step's."""
    if reference.name not in made:
        return ""
    found = made[reference.name].get(reference.key, [])
    if any(document.status is not Status.FILTERED for document in found):
        return ""
    if found:
        rows = row_list([row for document in found for row in document.rows])
        return (
            f"{reference.key!r} is left out of the step {reference.name} ({rows}: {found[0].message}). Let it in, or "
            "leave this row out."
        )
    return f"No row of the step {reference.name} has the key {reference.key!r}. Add it there, or correct the cell."
