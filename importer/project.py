"""The project folder: where targets, the journal, the sandbox's state and the copies of workbooks lie."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from importer.errors import StartError, advice_for, reason_of
from importer.workbook import sha256

_TARGETS: Final = "targets.yaml"
_PRIVATE: Final = ".visma-import"
#: Tells the folder of a report.
_REPORT: Final = "results.json"


@dataclass(frozen=True, slots=True)
class Project:
    """Hold one project folder and name what lies in it."""

    folder: Path

    @property
    def private(self) -> Path:
        """Name the folder that only its owner can read."""
        return self.folder / _PRIVATE

    @property
    def journal(self) -> Path:
        """Name the default journal."""
        return self.private / "journal.db"

    @property
    def sandbox(self) -> Path:
        """Name the folder of the sandbox's state."""
        return self.private / "sandbox"

    @property
    def reports(self) -> Path:
        """Name the folder of the reports."""
        return self.folder / "reports"

    def workbook_copy(self, digest: str) -> Path:
        """Name the copy of the workbook that has this SHA-256."""
        return self.private / "workbooks" / f"{digest}.xlsx"

    def make_private(self) -> None:
        """Make the private folder, readable by its owner alone.

        Raises: StartError when it cannot be written.
        """
        try:
            self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.private.chmod(0o700)
            ignore = self.private / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise self.unwritable(error) from None

    def unwritable(self, error: OSError) -> StartError:
        """Return what to say where the private folder cannot be written; nothing is sent without it."""
        reason = reason_of(error)
        return StartError(
            f"The folder {str(self.private)!r} cannot be written ({reason}); nothing was sent. {advice_for(error)}"
        )

    def keep_workbook(self, file: Path) -> str:
        """Copy a workbook into the private folder, once for each content; return its SHA-256."""
        digest = sha256(file)
        copy = self.workbook_copy(digest)
        if not copy.exists():
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = copy.with_suffix(f".{os.getpid()}.part")
            descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            with file.open("rb") as source, os.fdopen(descriptor, "wb") as target:
                shutil.copyfileobj(source, target)
            partial.replace(copy)
        return digest


def is_kept(file: Path) -> bool:
    """Tell whether a file is, or would be, one of those that the program keeps in the private folder of a project."""
    parts = Path(os.path.realpath(file)).parts
    below = parts[parts.index(_PRIVATE) + 1 :] if _PRIVATE in parts else ()
    here = Project(Path())
    # with what SQLite writes beside a journal; anything else there is the user's, such as an exported journal
    return bool(below) and (
        below[0].startswith(here.journal.name) or below[0] in {here.sandbox.name, here.workbook_copy("").parent.name}
    )


def project_of(start: Path) -> Project:
    """Return the nearest project upward from a folder: one with targets.yaml, else the folder itself.

    A report, whose mapping puts back what a run replaced, belongs to the project that it lies in.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / _TARGETS).is_file():
            return Project(folder)
    return project_here(start) if (start / _REPORT).is_file() else Project(start)


def project_here(start: Path) -> Project:
    """Return the project of a command without a mapping: the nearest folder upward that has been used as one."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / _TARGETS).is_file() or (folder / _PRIVATE).is_dir():
            return Project(folder)
    return Project(start)
