"""Keep what a command writes from taking the place of what it reads, and of what the program keeps for itself."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from importer.errors import UsageError
from importer.project import is_kept

_DATABASE: Final = b"SQLite format 3\0"


def refuse_losing(output: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse to write where an input of the command is, a journal, or what else the program keeps.

    Raises: UsageError.
    """
    if any(_is_same(output, one) for one in inputs):
        raise UsageError(f"{str(output)!r}: that is what the command reads, and it would be lost. Name another file.")
    if is_kept(output):
        raise UsageError(f"{str(output)!r} is for the program itself: journal, sandbox, workbooks. Name another file.")
    if _is_database(output):
        raise UsageError(f"{str(output)!r} is a journal, or another database, and would be lost. Name another file.")


def refuse_overwriting(output: Path, *, force: bool) -> None:
    """Refuse to write where a file is already, unless the user says so.

    Raises: UsageError.
    """
    is_there = False
    with suppress(OSError):  # what is to write it says why it cannot
        # a folder is refused when it is written, and --force would not help
        is_there = output.exists() and not output.is_dir()
    if is_there and not force:
        raise UsageError(f"{str(output)!r} is there already. Name another file with -o, or overwrite it with --force.")


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return os.path.realpath(one) == os.path.realpath(other)


def _is_database(file: Path) -> bool:
    with suppress(OSError):
        # anything but a file may keep whoever opens it waiting
        if file.is_file():
            with file.open("rb") as opened:
                return opened.read(len(_DATABASE)) == _DATABASE
    return False
