"""Write a file whole or not at all, and say what to do where it cannot be written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from importer.errors import StartError, advice_for, reason_of


@contextmanager
def replacing(file: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield the name of a new file, which takes the place of `file` when the block ends; `private` is for its owner.

    Raises: StartError when it cannot be written.
    """
    # `.` and `/` have no name that another could stand in place of
    partial = file.parent / f".{file.name}.{uuid4().hex}.part"
    try:
        if file.is_dir():
            raise StartError(f"{str(file)!r} cannot be written: it is a folder. Name a file in it, then run again.")
        # before anything is made that could not be put anywhere
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600 if private else 0o666))
        yield partial
        partial.replace(file)
    except OSError as error:
        raise StartError(f"{str(file)!r} cannot be written: {reason_of(error)}. {advice_for(error)}") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
