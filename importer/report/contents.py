"""What the files of a report are written from, put in order and grouped once for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from importer.causes import Group, group, load_causes
from importer.model import Outcome, RunRecord, Status

if TYPE_CHECKING:
    from importer.report.replaced_file import Replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Hold a run, what became of its documents, and the workbook that they came from."""

    record: RunRecord
    #: in the order of the workbook
    outcomes: tuple[Outcome, ...]
    refusals: tuple[Group, ...]
    #: the kept copy of the workbook
    workbook: Path | None
    #: what the run's updates replaced
    replaced: "Replaced | None" = None
    #: what is to be said to the user of what was written
    notes: list[str] = field(default_factory=list)


def contents(
    record: RunRecord,
    outcomes: Sequence[Outcome],
    workbook: Path | None = None,
    replaced: "Replaced | None" = None,
) -> Contents:
    """Return the contents of a run's report."""
    ordered = tuple(sorted(outcomes, key=lambda outcome: outcome.position))
    grouped = refusals(record, ordered)
    return Contents(record=record, outcomes=ordered, refusals=grouped, workbook=workbook, replaced=replaced)


def refusals(record: RunRecord, outcomes: Sequence[Outcome]) -> tuple[Group, ...]:
    """Return the rejections of a run by cause, as the bundled catalogue explains them.

    So a report that is written again, without the mapping's folder, says the same.
    """
    rejected = [outcome for outcome in outcomes if outcome.status is Status.REJECTED]
    return tuple(group(rejected, load_causes(None), record.endpoint, "en")) if rejected else ()
