"""Save a plan into a file, and carry a saved one out: exactly that, once, by one process."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from importer import __version__, resources
from importer.cli.connection import Connection
from importer.cli.inputs import text_of
from importer.cli.prospect import Prospect, prospect
from importer.cli.sending import Manner
from importer.cli.task import Task, read_task
from importer.errors import StartError, UsageError
from importer.journal import Journal, plans
from importer.model import RunRecord
from importer.saved_plan import Arguments, Planned, SavedPlan, SavedStep, changed_files, load_plan, staleness
from importer.send import now_utc
from importer.template import template_files

#: How a run of a saved plan ended that needs no further try.
_DONE: Final = frozenset({0, 4, 5})


@dataclass(frozen=True, slots=True)
class Applied:
    """Hold a saved plan that is being carried out."""

    plan_id: str
    #: by step, the documents that it sends, by their positions
    sends: tuple[dict[int, Planned], ...]


def saved(found: Prospect, plan_id: str, arguments: Arguments) -> SavedPlan:
    """Return a plan as it is saved."""
    task = found.task
    return SavedPlan(
        plan_id=plan_id,
        made_at=now_utc(),
        program=__version__,
        arguments=arguments,
        target=found.target.name,
        company=found.target.company,
        files=dict(_files(task)),
        journal=found.journal,
        steps=tuple(
            SavedStep(
                name=step.name,
                endpoint=step.given.mapping.endpoint.name,
                documents=tuple(map(Planned.of, step.given.plan.documents, forecast.documents)),
            )
            for step, forecast in zip(task.steps, found.forecasts, strict=True)
        ),
    )


def _files(task: Task) -> Iterator[tuple[str, str]]:
    """Yield name and SHA-256 of each file that a plan is made from."""
    if task.migration is not None:
        yield f"the migration {text_of(task.migration.source.path.name)}", _digest(task.migration.source.path)
    for step in task.steps:
        mapping = step.given.mapping
        yield f"the mapping of {step.name} ({text_of(mapping.source.path.name)})", _digest(mapping.source.path)
        yield f"the workbook of {step.name} ({text_of(step.given.workbook.name)})", step.given.digest
        for template in template_files(mapping):
            yield f"the template of {step.name} ({text_of(template.name)})", _digest(template)
        yield f"the schema of {mapping.endpoint.name}", _digest(resources.request_schema(mapping.endpoint.name))


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def read_saved(file: Path, beside: dict[str, Any]) -> tuple[SavedPlan, Task]:
    """Read a saved plan, and what it was made of; `beside` is what the command line names besides.

    Raises: StartError when it is no plan or a file is missing; UsageError, MappingError, WorkbookError.
    """
    if any(beside.values()):
        raise UsageError("--plan FILE holds the mapping, the workbook and their options already: name nothing else.")
    plan = load_plan(file)
    given = plan.arguments
    mapping = Path(given.mapping)
    if not mapping.is_file():
        raise StartError(
            f"The plan was made of {given.mapping!r}, which is not here. Run it in the folder where it was made."
        )
    workbook = Path(given.workbook) if given.workbook else None
    task = read_task(mapping, workbook, given.param, given.limit, given.only, given.step)
    # before anything is said of what is wrong in files that are not the plan's
    _refuse_stale(changed_files(plan, dict(_files(task))))
    return plan, task


def _refuse_stale(told: Sequence[str]) -> None:
    """Refuse a plan that no longer holds, if anything is told of that.

    Raises: StartError.
    """
    if told:
        raise StartError("The plan no longer holds, so nothing was sent:\n  " + "\n  ".join(told) + "\nMake it again.")


@contextmanager
def carried_out(
    plan: SavedPlan, task: Task, connection: Connection, journal: Journal, manner: Manner
) -> Iterator[Applied]:
    """See that a plan still holds and nobody else carries it out, and keep others off while the context lasts.

    Raises: StartError with the reason why it is not sent.
    """
    # it begins with when, by which journals that are merged tell which one was later
    carried_by = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    with journal.held(carried_by):
        before = plans.carrier(journal, plan.plan_id)
        runs = plans.runs_of(journal, plan.plan_id)
        # a journal that was carried here from another machine knows a plan by its runs alone
        if before is not None or runs:
            _refuse_again(plan, before, runs, journal)
        found = prospect(task, connection, journal, manner, plan.plan_id)
        _refuse_stale(staleness(plan, saved(found, plan.plan_id, plan.arguments), resumed=bool(runs)))
        if not plans.carry_out(journal, plan.plan_id, carried_by, before):
            raise StartError("The plan is being carried out by another process. This one sent nothing.")
        sends = tuple(
            {position: one for position, one in enumerate(step.documents) if one.status is None} for step in plan.steps
        )
        yield Applied(plan.plan_id, sends)


def _refuse_again(plan: SavedPlan, before: str | None, runs: Sequence[RunRecord], journal: Journal) -> None:
    """Refuse a plan that another process carries out, or that was carried out whole.

    Raises: StartError.
    """
    if before is not None and journal.is_alive(before):
        raise StartError("The plan is being carried out by another process. This one sent nothing.")
    done = {run.step or 1: run for run in runs if run.exit_code in _DONE}
    if len(done) == len(plan.steps):
        last = max(done.values(), key=lambda run: run.finished_at or "")
        when = (last.finished_at or "")[:16].replace("T", " ")
        names = ", ".join(run.run_id for _, run in sorted(done.items()))
        raise StartError(
            f"The plan was carried out on {when} UTC (run {names}); it is sent once. Nothing was sent. Make a new plan "
            "for what is left."
        )
