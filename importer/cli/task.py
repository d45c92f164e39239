"""What check, plan and run were given: one mapping, or a migration of several, each read into its plan."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from importer.allowance import Allowed
from importer.cli.inputs import Input, keep_workbook, pairs, read_input
from importer.errors import MappingError, UsageError, WorkbookError
from importer.mapping import Mapping
from importer.mapping_file import name_of, read_mapping
from importer.migration import Migration, is_migration, read_migration
from importer.migration import Step as Declared
from importer.model import Reference, Status
from importer.plan import Selection, held_back
from importer.project import Project, project_of
from importer.report.sequence import step_folder
from importer.sequence import Planned, hold_together
from importer.stop_rules import StopRules
from importer.target import Target, choose
from importer.values import clean
from importer.yamlfile import did_you_mean, load

if TYPE_CHECKING:
    from importer.cli.recalling import Earlier
    from importer.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Hold one mapping with its workbook, read."""

    name: str
    given: Input
    #: as the migration declares it; None for a mapping by itself
    declared: Declared | None = None

    def rules(self, rules: StopRules) -> StopRules:
        """Return the command's stop rules with those that the migration declares for this step."""
        own = self.declared.stop if self.declared else {}
        return replace(rules, **{name: number for name, number in own.items() if name != "failures"})

    @property
    def failures(self) -> int | None:
        """Return how many failures of this step the next one bears; None for any number."""
        return self.declared.stop.get("failures") if self.declared else None

    def held_back(self, *, skip_invalid: bool) -> bool:
        """Tell whether problems of this step keep the run from starting."""
        return held_back(
            self.given.plan, skip_invalid=skip_invalid or bool(self.declared and self.declared.skip_invalid)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Hold everything that a command was given."""

    project: Project
    steps: tuple[Step, ...]
    #: None for one mapping by itself
    migration: Migration | None = None

    @property
    def name(self) -> str:
        """Return the name of the migration or the mapping."""
        return self.migration.name if self.migration else self.steps[0].given.mapping.name

    @property
    def problems(self) -> int:
        """Count the problems of all steps."""
        return sum(len(step.given.plan.problems) for step in self.steps)

    def folder_in(self, report: Path, number: int) -> Path:
        """Return the folder of a step's report (from 0) within the one of the whole."""
        return report if self.migration is None else report / step_folder(number + 1, self.steps[number].name)

    def choose(self, target: str | None) -> str | Target:
        """Return the target: the one that is named on the command line, or in the migration, or the default one.

        Raises: MappingError, TargetError.
        """
        return choose(self.project.folder, target or (self.migration.target if self.migration else None))

    def keep_workbooks(self) -> None:
        """Copy the workbooks into the project's private folder, from which their reports can be rebuilt.

        Raises: WorkbookError, StartError.
        """
        for step in self.steps:
            keep_workbook(step.given, self.project)

    @property
    def invalid(self) -> int:
        """Count the documents of all steps that are invalid."""
        documents = (document for step in self.steps for document in step.given.plan.documents)
        return sum(document.status is Status.INVALID for document in documents)

    def held_back(self, *, skip_invalid: bool, allowed: Allowed) -> bool:
        """Tell whether problems keep the whole run from starting; `allowed` is how many may be left of a status."""
        enough = Status.INVALID in allowed and self.invalid <= allowed[Status.INVALID]
        return any(step.held_back(skip_invalid=skip_invalid or enough) for step in self.steps)


def needed(given: dict[str, Any]) -> dict[str, Any]:
    """Return what a command was given, the mapping among it.

    Raises: UsageError where it is missing.
    """
    if given["mapping"] is None:
        raise UsageError("MAPPING is missing: name a mapping or a migration, or say --plan FILE.")
    return given


def read_task(
    mapping: Path,
    workbook: Path | None,
    param: tuple[str, ...],
    limit: int | None,
    only: tuple[str, ...],
    step: str | None = None,
    earlier: "Earlier | None" = None,
) -> Task:
    """Read a mapping or a migration, and all of its workbooks; `earlier` as in `read_input`, for a mapping by itself.

    Raises: UsageError, MappingError, WorkbookError.
    """
    project = project_of(mapping.parent)
    if not is_migration(mapping):
        if step is not None:
            raise UsageError(f"--step names a step of a migration, but {mapping.name!r} is none.")
        selection = Selection(limit=limit, only=frozenset(map(clean, only)))
        given = read_input(mapping, workbook, param, selection, earlier=earlier)
        return Task(project=project, steps=(Step(name=given.mapping.name, given=given),))
    migration = read_migration(mapping)
    if workbook is not None:
        raise UsageError(f"A migration names its workbooks itself: write {str(workbook)!r} into {mapping.name!r}.")
    if limit is not None or only:
        raise UsageError("--limit and --only are for one mapping: run the mapping of the step by itself.")
    return Task(project=project, steps=_steps(migration, project, pairs(param), step), migration=migration)


def with_references(task: Task, known: Callable[[int, Reference], bool] = lambda _place, _reference: False) -> Task:
    """Return a task whose plans were held against each other; `known` tells of what earlier runs made."""
    if task.migration is None:
        return task
    plans = hold_together([Planned(step.name, step.given.plan) for step in task.steps], known)
    steps = [replace(step, given=replace(step.given, plan=plan)) for step, plan in zip(task.steps, plans, strict=True)]
    return replace(task, steps=tuple(steps))


def referred(task: Task, journal: "Journal | None", company: str) -> Task:
    """Return a task whose plans were held against each other and against what a journal knows of earlier runs."""
    if journal is None or task.migration is None:
        return with_references(task)
    from importer.memory import numbers_of

    numbers = [numbers_of(journal, company, step.given.origins) for step in task.steps]
    return with_references(task, lambda place, reference: numbers[place](reference) is not None)


def _steps(migration: Migration, project: Project, given: dict[str, str], only: str | None) -> tuple[Step, ...]:
    """Read the mappings and workbooks of all steps.

    Raises: MappingError holding every fault of all mappings; UsageError, WorkbookError.
    """
    steps: list[Step] = []
    endpoints: dict[str, str] = {}
    faults: list[object] = []
    names = [_name_of(declared) for declared in migration.steps]
    for place, declared in enumerate(migration.steps):
        try:
            if None in names[:place]:
                # what refers to that step cannot be told from what refers to none
                read_mapping(declared.mapping)
                continue
            step = _step(migration, project, declared, given, endpoints, set(names[place:]) - set(endpoints))
        except MappingError as error:
            faults += error.errors
            endpoints.setdefault(names[place] or "", "")
        except (UsageError, WorkbookError):
            if not faults:
                raise
        else:
            endpoints[step.name] = step.given.mapping.endpoint.name
            steps.append(step)
    if faults:
        # two steps may have one mapping
        once = tuple(dict.fromkeys(faults))
        raise MappingError("\n".join(map(str, once)), once)
    used = {name for step in steps for name in step.given.mapping.parameters}
    for name in sorted(set(given) - used):
        hint = did_you_mean(name, sorted(used))
        raise UsageError(f"No mapping of the migration declares a parameter {name!r}. {hint}".rstrip())
    if only is not None and only not in endpoints:
        raise UsageError(f"The migration has no step {only!r}. {did_you_mean(only, list(endpoints))}".rstrip())
    return tuple(step for step in steps if only in {None, step.name})


def _step(
    migration: Migration,
    project: Project,
    declared: Declared,
    given: dict[str, str],
    endpoints: dict[str, str],
    later: Set[str | None],
) -> Step:
    """Read one step; `endpoints` are those of the steps before it by name, `later` the names from it on.

    Raises: UsageError, MappingError, WorkbookError.
    """
    read = _read(migration, project, declared, given, endpoints)
    name = declared.name or read.mapping.name
    _refuse_later(read.mapping, later)
    if name in endpoints:
        fault = migration.source.fault(declared.place, f"Two steps are named {name!r}.", hint="Give each a name.")
        raise MappingError(str(fault), (fault,))
    return Step(name=name, given=read, declared=declared)


def _name_of(declared: Declared) -> str | None:
    """Return the name of a step, as far as it can be known before its mapping is read; None where it cannot."""
    try:
        data = {} if declared.name else load(declared.mapping).data
    except MappingError:
        return None
    return declared.name or name_of(declared.mapping, data if isinstance(data, dict) else {})


def _refuse_later(mapping: Mapping, later: Set[str | None]) -> None:
    """Refuse what refers to a step that has not run by then, unless an earlier run may have made it.

    Raises: MappingError at the place of each.
    """
    faults = [
        mapping.source.fault(
            (*rule.place, "document"),
            f"{rule.document.name!r} is a later step, or this one, so that its documents are not there yet.",
            hint="Put that step before this one, or say earlier: true where an earlier run made them.",
        )
        for rule in mapping.referred
        if rule.document and rule.document.name in later and not rule.document.earlier
    ]
    if faults:
        raise MappingError("\n".join(map(str, faults)), tuple(faults))


def _read(
    migration: Migration, project: Project, declared: Declared, given: dict[str, str], endpoints: dict[str, str]
) -> Input:
    param = tuple(f"{name}={value}" for name, value in declared.parameters.items())
    steps, folder = dict(endpoints), project.folder
    try:
        read = read_input(declared.mapping, declared.workbook, param, also=given, folder=folder, steps=steps)
    except UsageError as error:
        raise UsageError(f"Step {declared.name or declared.mapping.name}: {error}") from None
    if declared.sha256 is not None and read.digest != declared.sha256:
        fault = migration.source.fault(
            (*declared.place, "workbook", "sha256"),
            f"{read.workbook.name!r} is another file than this one: its SHA-256 is {read.digest}.",
            hint="Take the right file, or write its SHA-256 here.",
        )
        raise WorkbookError(str(fault))
    return read


def task_data(task: Task, steps: Sequence[dict[str, Any]], code: int) -> dict[str, Any]:
    """Return what `--json` prints of a migration; `steps` are what it prints of each mapping."""
    named = [{"step": step.name, **data} for step, data in zip(task.steps, steps, strict=True)]
    return {"format_version": 1, "migration": task.name, "exit_code": code, "steps": named}
