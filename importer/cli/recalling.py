"""Take up the plan of an earlier run where all of it was accepted, and keep one for the next run."""

from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from importer import kept_plan
from importer.cli.inputs import Input
from importer.errors import ImportFailed
from importer.journal import Examination, open_journal
from importer.mapping import Mapping
from importer.memory import known
from importer.model import FieldValue, Outcome
from importer.plan import Plan
from importer.project import Project
from importer.target import choose


@dataclass(frozen=True, slots=True)
class Earlier:
    """Know where an earlier run kept its plan, and the journal that tells what became of it."""

    project: Project
    #: as the command line names it
    target: str | None
    journal: str | Path
    #: what looks through the journal's file
    examined: Examination | None

    def made_of(
        self, mapping: Mapping, workbook: Path, digest: str, params: Dictionary[str, FieldValue | None], today: date
    ) -> str:
        """Return what tells all that a plan is made of; `digest` is that of the workbook.

        It is empty where that cannot be read: whoever makes the plan tells why.
        """
        try:
            return kept_plan.made_of(mapping, workbook, digest, params, today)
        except (OSError, ImportFailed):
            return ""

    def take_up(self, mapping: Mapping, workbook: Path, digest: str, made: str) -> Plan | None:
        """Return the plan that is made of this, where the journal says that each document was accepted as it is.

        Whatever is wrong with target and journal is told when the run begins.
        """
        plan = kept_plan.take_up(self.project.workbook_copy(digest), made, mapping, workbook)
        if plan is None:
            return None
        try:
            chosen = choose(self.project.folder, self.target)
            if isinstance(chosen, str):
                # what its company is, the sandbox tells when it has been started
                return None
            with closing(open_journal(self.journal, create=False, examined=self.examined)) as journal:
                past = known(journal, chosen.company, mapping.endpoint.name)
        except ImportFailed:
            return None
        return plan if past.holds(plan.documents) else None


def keep_plan(given: Input, outcomes: Sequence[Outcome], project: Project) -> None:
    """Keep the plan of a run that has ended, where it saves the next one time."""
    if given.made_of and kept_plan.is_worth_it(given.plan, outcomes):
        kept_plan.keep(project.workbook_copy(given.digest), given.made_of, given.plan)
