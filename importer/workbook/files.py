"""The file of a workbook: its hash, and what is said where it cannot be opened."""

import hashlib
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from importer.errors import WorkbookError, reason_of

#: How names of files end that this program reads.
ENDINGS: Final = (".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".csv", ".tsv", ".txt")


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal.

    Raises: WorkbookError when it cannot be opened.
    """
    try:
        handle = file.open("rb")
    except OSError as error:
        raise cannot_open(file, error) from None
    with handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def cannot_open(file: Path, error: OSError) -> WorkbookError:
    """Return what to say of a file that cannot be opened."""
    reason = "there is no such file" if isinstance(error, FileNotFoundError) else reason_of(error)
    advice = " See that you may read it." if file.is_file() else _near_files(file)
    return WorkbookError(f"The workbook {str(file)!r} cannot be opened: {reason}.{advice}")


def _near_files(file: Path) -> str:
    there = (
        [near.name for near in file.parent.iterdir() if near.suffix.lower() in ENDINGS] if file.parent.is_dir() else []
    )
    near = get_close_matches(file.name, there, n=1)
    return f" Did you mean {near[0]!r}?" if near else " Name it on the command line or under workbook: file."
