"""Look through a journal's file while something else is read: in a large one that takes a while."""

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

#: Seconds that are waited for another program which holds the file; whoever opens the journal waits longer.
_PATIENCE_S: Final = 1.0
#: Tells in one row what is wrong with the pages first, or that nothing is.
QUESTION: Final = "PRAGMA quick_check(1)"
WHOLE: Final = "ok"


class Examination:
    """Look through a file in a thread of its own; sqlite3 lets others work meanwhile."""

    def __init__(self, file: Path) -> None:
        self._file = file.absolute()
        self._is_whole = False
        self._thread = threading.Thread(target=self._look, name="examination", daemon=True)
        self._thread.start()

    def passed(self, file: Path) -> bool:
        """Wait for the end, and tell whether this is the file, and whole; whoever opens it looks again where not."""
        self._thread.join()
        return self._is_whole and file.absolute() == self._file

    def _look(self) -> None:
        if not self._file.exists():
            return
        # whatever is amiss is told when the journal is opened
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(f"{self._file.as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)) as connection,
        ):
            self._is_whole = connection.execute(QUESTION).fetchone() == (WHOLE,)
