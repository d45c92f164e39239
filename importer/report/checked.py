"""What a check found beside its rows: it goes with the check's record to whoever writes a file of its report."""

from dataclasses import dataclass, fields

from importer.grouping import Cause
from importer.model import Problem, RunRecord
from importer.workbook import TextLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord(RunRecord):
    """Hold a check as a run that sent nothing, with what is wrong and what is odd."""

    #: of the file or the sheet as a whole
    held: tuple[Problem, ...] = ()
    #: of all problems, those of the file first
    causes: tuple[Cause, ...] = ()
    warnings: tuple[Problem, ...] = ()
    #: how a text file was read, of which a check keeps no copy
    layout: TextLayout | None = None


def check_record(
    record: RunRecord,
    held: tuple[Problem, ...],
    causes: tuple[Cause, ...],
    warnings: tuple[Problem, ...],
    layout: TextLayout | None = None,
) -> CheckRecord:
    """Return the record of a check with what was found."""
    own = {field.name: getattr(record, field.name) for field in fields(RunRecord)}
    return CheckRecord(**own, held=held, causes=causes, warnings=warnings, layout=layout)
