"""Say when a run ends early: what is wrong is then not in the documents, and more of them would not help."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from importer.stop import SAME_REJECTIONS, UNREACHABLE

#: Doubtful ends in a row after which the run reads something before it goes on.
DOUBTS: Final = 5
#: How long to wait after the first try without a connection, the second and so on.
_WAITS_S: Final = (1, 4, 16, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRules:
    """Hold how much of the same trouble ends a run."""

    #: equal rejections in a row, in the order of the workbook
    same_rejections: int = SAME_REJECTIONS
    #: tries for one document while the host cannot be reached
    unreachable: int = UNREACHABLE

    def wait_s(self, tries: int) -> float:
        """Return how long to wait after so many tries without a connection.

        Units: seconds.
        """
        return _WAITS_S[min(tries, len(_WAITS_S)) - 1]


class Rejections:
    """Count equal rejections in a row; safe for threads.

    The row is that of the workbook, not that of the answers, so that one slow answer changes nothing.
    """

    def __init__(self, positions: Iterable[int]) -> None:
        self._order = list(positions)
        self._place = {position: place for place, position in enumerate(self._order)}
        self._said: dict[int, str] = {}
        self._lock = threading.Lock()

    def note(self, position: int, said: str) -> int:
        """Note what a document was answered (empty: no rejection); return how many around it were answered the same."""
        with self._lock:
            place = self._place[position]
            self._said[place] = said
            if not said:
                return 0
            first = last = place
            while self._said.get(first - 1) == said:
                first -= 1
            while self._said.get(last + 1) == said:
                last += 1
            return last - first + 1
