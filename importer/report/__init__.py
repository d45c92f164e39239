"""Write the report of a run into a folder, each file whole or not at all.

contents       what all of them are written from
counts         documents and rows by status
words          what statuses, exit codes and problems mean
json_file      results.json
troubles       what has one cause, together
workbook_file  results.xlsx: workbook_copy loads, columns makes room, cells writes, looks colours, summary_sheet sums up
lifted_filter  the rows of it that a filter on its columns hid
streamed       the same of large sheets, whose rows are passed on instead of loaded
workbook_made  the workbook for it where the run's was no .xlsx: widths makes room for what its columns hold
left_out       what the user's workbook shows and it does not
html_file      results.html, made of the files in page
junit_file     results.junit.xml
plan_review    a plan in Markdown
replaced_file  replaced.xlsx and replaced.mapping.yaml, where updates noted what they replaced
summary_file   summary.md for services that run jobs, by markdown; plan_summary the same of a plan
sequence       the report over all steps of a migration: sequence_page makes its page
layout         heights, amounts and paper of the sheets that are ours
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Dictionary
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from importer.beside import beside
from importer.errors import WorkbookError
from importer.model import Outcome, RunRecord
from importer.report.contents import Contents, contents

if TYPE_CHECKING:
    from importer.report.replaced_file import Replaced

Writer = Callable[[Path, Contents], None]


def _write_workbook(target: Path, told: Contents) -> None:
    from importer.report import workbook_file

    workbook_file.write(target, told)


def _write_json(target: Path, told: Contents) -> None:
    from importer.report import json_file

    json_file.write(target, told)


def _write_html(target: Path, told: Contents) -> None:
    from importer.report import html_file

    html_file.write(target, told)


def _write_junit(target: Path, told: Contents) -> None:
    from importer.report import junit_file

    junit_file.write(target, told)


def _write_summary(target: Path, told: Contents) -> None:
    from importer.report import summary_file

    summary_file.write(target, told)


def _write_replaced(target: Path, told: Contents) -> None:
    if told.replaced is not None:
        from importer.report import replaced_file

        replaced_file.write_workbook(target, told.replaced)


def _write_putting_back(target: Path, told: Contents) -> None:
    if told.replaced is not None and told.replaced.rows:
        from importer.report import replaced_file

        replaced_file.write_mapping(target, told.replaced, told.record)


#: With so many documents, a second process is worth its start.
_MANY: Final = 5_000
#: Files lie in a folder of this name and the number of the process until all of them are written.
_STAGING: Final = ".partial-"
_NUMBERED: Final = re.compile(re.escape(_STAGING) + "[0-9]+")
#: No report takes so long, in seconds.
_ABANDONED: Final = 24 * 60 * 60
#: In the order in which they are put in place: first those that another program may hold open. Where nothing was
#: replaced, two of them are not made.
FILES: Final[tuple[tuple[str, Writer], ...]] = (
    ("results.xlsx", _write_workbook),
    ("replaced.xlsx", _write_replaced),
    ("replaced.mapping.yaml", _write_putting_back),
    ("results.json", _write_json),
    ("results.html", _write_html),
    ("results.junit.xml", _write_junit),
    ("summary.md", _write_summary),
)


def write_report(
    folder: Path,
    record: RunRecord,
    outcomes: Sequence[Outcome],
    workbook: Path | None,
    replaced: "Replaced | None" = None,
    own: Path | None = None,
) -> list[str]:
    """Write the report's files into a folder, in place of an earlier report; return notes for the user.

    `workbook` is the kept copy of the workbook. Without it results.xlsx is left out, and a note says so. `replaced` is
    what the run's updates replaced, and `own` the user's own workbook.

    Raises: OSError when the folder cannot be written.
    """
    told = contents(record, outcomes, workbook, replaced)
    files = {name: partial(_write, writer, told) for name, writer in FILES}
    notes = place(folder, files, apart=len(outcomes) >= _MANY, own=own)
    return [*told.notes, *notes]


def _write(writer: Writer, told: Contents, target: Path) -> None:
    writer(target, told)


def place(
    folder: Path, files: Dictionary[str, Callable[[Path], None]], *, apart: bool = False, own: Path | None = None
) -> list[str]:
    """Write files into a folder, all of them at once, in place of those of an earlier run; return notes for the user.

    A file that raises WorkbookError is left out, and a note says so. With `apart` another process writes all but the
    first meanwhile, where there can be one. `own` is a file of the user's, which is not removed without another in its
    place.

    Raises: OSError when the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / f"{_STAGING}{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    _remove_abandoned(folder)
    staging.mkdir()
    try:
        first, *others = files.items()
        with beside(lambda: _written(staging, others), wanted=apart) as done:
            notes = _written(staging, [first])
            if not done():
                notes += _written(staging, others)
        kept = _put_in_place(staging, folder, list(files), own)
        return [*notes, *kept]
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left, told by its age: a number says nothing of processes of another machine."""
    for left in folder.glob(f"{_STAGING}*"):
        with suppress(OSError):  # another process may be removing it
            if _NUMBERED.fullmatch(left.name) and left.is_dir() and time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)


def _written(staging: Path, files: Iterable[tuple[str, Callable[[Path], None]]]) -> list[str]:
    """Write files, and return notes on those that are left out."""
    notes: list[str] = []
    for name, write in files:
        try:
            write(staging / name)
        except WorkbookError as error:
            (staging / name).unlink(missing_ok=True)
            notes.append(f"{name} was not written: {error}")
        if (staging / name).exists():
            _flush(staging / name)
    return notes


def _put_in_place(staging: Path, folder: Path, names: Sequence[str], own: Path | None) -> list[str]:
    """Put what was written in place; return notes on what stays although nothing was."""
    notes = []
    kept = {name for name in names if own is not None and (folder / name).exists() and own.samefile(folder / name)}
    # files of two runs are never beside each other, not even for a moment
    for name in names[1:]:
        if name not in kept:
            (folder / name).unlink(missing_ok=True)
    for name in names:
        if (staging / name).exists():
            (staging / name).replace(folder / name)
        elif name in kept:
            notes.append(f"{name} there is still the workbook that was read.")
        else:
            # one that is left from another run would be taken for this run's
            (folder / name).unlink(missing_ok=True)
    _flush(folder)
    return notes


def _flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before going on."""
    with suppress(PermissionError):  # Windows does not open folders
        descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
