"""Find out what a run of a task would do at a target: document by document, how much, how long. Reads only."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from importer.cli import screen
from importer.cli.connection import Connection, decider_for
from importer.cli.inputs import Input
from importer.cli.sending import Manner
from importer.cli.task import Task, referred
from importer.decide import since_accepted
from importer.endpoints import table
from importer.forecast import Forecast, control_totals, held
from importer.journal import Journal, plans
from importer.lookup import probe
from importer.model import Document
from importer.replaced import difference
from importer.target import Target

#: Added to each request for what the API itself needs; measured ones are longer than the network's own time.
_WORK_S: Final = 0.15


@dataclass(frozen=True, slots=True)
class Prospect:
    """Hold a task as a target and a journal stand to it, and what a run of each step would do."""

    task: Task
    target: Target
    forecasts: tuple[Forecast, ...]
    #: what stood for all that the journal knew before it was asked
    journal: str


def prospect(
    task: Task, connection: Connection, journal: Journal | None, manner: Manner, plan_id: str = ""
) -> Prospect:
    """Return what a run would do with each document of each step; `plan_id`: as a saved plan's own runs stand to it."""
    knew = plans.state(journal, connection.target.company, _endpoints(task), plan_id)
    task = referred(task, journal, connection.target.company)
    forecasts: list[Forecast] = []
    promised: set[tuple[str, str]] = set()
    for step in task.steps:
        forecast = _forecast(step.given, connection, journal, manner, frozenset(promised))
        forecasts.append(forecast)
        promised |= {(step.name, document.key) for document in forecast.to_send if document.key is not None}
    return Prospect(task, connection.target, tuple(forecasts), knew)


def _endpoints(task: Task) -> list[str]:
    named = [name for step in task.steps for name in (step.given.mapping.endpoint.name, *step.given.origins.values())]
    return [one.name for name in named for one in (table()[name].creates, table()[name].updates)]


def _forecast(
    given: Input,
    connection: Connection,
    journal: Journal | None,
    manner: Manner,
    promised: frozenset[tuple[str, str]],
) -> Forecast:
    decider = replace(
        decider_for(given, connection, journal, manner.settle_after_s),
        promised=lambda reference: (reference.name, reference.key) in promised,
    )
    past, documents = decider.by_journal(given.plan.documents)
    documents = held(given.plan, decider.by_api(documents, past))
    seconds, basis = _predict(connection, given, documents, manner.workers)
    expected = _expected(given, journal, connection.target.company)
    changes = {
        position: text
        for position, document in enumerate(documents)
        if (text := difference(given.mapping.endpoint.updates, document) or since_accepted(document, past, expected))
    }
    return Forecast(
        plan=given.plan,
        target=connection.target.name,
        simulated=connection.target.simulated,
        documents=documents,
        changes=changes,
        amounts=tuple(control_totals(given.plan, documents)),
        seconds=seconds,
        basis=basis,
    )


def _expected(given: Input, journal: Journal | None, company: str) -> dict[int, str]:
    """Return by attempt what an accepted document was expected to be found by."""
    if journal is None:
        return {}
    live = journal.live_attempts(company, given.mapping.endpoint.creates.name)
    return {attempt.attempt_id: attempt.expect for attempt in live if attempt.state == "accepted"}


def _predict(connection: Connection, given: Input, documents: Sequence[Document], workers: int) -> tuple[float, str]:
    """Ask the API once, to learn how fast it answers and what it allows.

    Return the seconds a run would take, and what they were reckoned from.
    """
    send = sum(document.status is None for document in documents)
    if not send:
        return 0.0, ""
    started = time.monotonic()
    probe(connection.session, given.mapping.endpoint)
    each = time.monotonic() - started + (0.0 if connection.target.loopback else _WORK_S)
    pace = connection.session.pace
    limit = "" if pace.limit is None else f", {pace.limit:,} requests an hour allowed, {pace.remaining or 0:,} left"
    basis = f"({screen.counted(send, 'document')}, {workers} at a time, {each:.2f} s each{limit}.)"
    return pace.predict_s(send, each / workers), basis
