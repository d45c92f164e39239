"""Everything that can stop a command, each with its exit code.

    ImportFailed
    ├── ProgramError      1  a bug, or a broken installation
    ├── UsageError        2  the command line
    ├── StartError        3  nothing was sent
    │   ├── MappingError     the mapping file
    │   ├── WorkbookError    the workbook file
    │   ├── TargetError      targets.yaml, credentials, the company
    │   └── JournalError     the journal
    ├── StoppedError      6  stopped early, nothing in doubt
    └── DoubtError        5  stopped early, and a document is in doubt

A trouble with one value is not an exception: it is a `Problem` (model.py), and all of them are shown at once.
"""

import errno


def advice_for(error: OSError) -> str:
    """Return what to do where the operating system does not let a file be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return "Make room on the disk, then run again."
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return "Make the folder first, or name another, then run again."
    return "See that you may write there and that it is not open elsewhere, then run again."


def reason_of(error: OSError) -> str:
    """Return why the operating system refuses, in words that fit into a sentence."""
    return (error.strerror or "unknown reason").lower()


class ImportFailed(Exception):  # noqa: N818 - the root reads as what happened
    """Stop the command; the text says where, what, and what to do next."""

    exit_code = 1


class ProgramError(ImportFailed):
    """Report a bug or a broken installation."""


class UsageError(ImportFailed):
    """Report a command line that cannot be meant."""

    exit_code = 2


class StartError(ImportFailed):
    """Report that the command could not start; nothing was sent."""

    exit_code = 3


class MappingError(StartError):
    """Report what is wrong in a mapping, all of it at once.

    `errors` holds one `MappingFault` (yamlfile.py) a trouble.
    """

    def __init__(self, message: str, errors: tuple[object, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


class WorkbookError(StartError):
    """Report a workbook that cannot be read as declared."""


class TargetError(StartError):
    """Report a target that is not declared, not allowed or not reachable."""


class JournalError(StartError):
    """Report a journal that cannot be trusted."""


class StoppedError(ImportFailed):
    """Report a run that ended early with nothing in doubt."""

    exit_code = 6


class DoubtError(ImportFailed):
    """Report a run that ended early while it was not known what became of a document."""

    exit_code = 5
