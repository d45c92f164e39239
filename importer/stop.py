"""Ask a run to end: a flag that a signal handler may set, and that any thread may wait for."""

import time
from typing import Final

#: Equal rejections in a row that end a run, unless told otherwise.
SAME_REJECTIONS: Final = 25
#: Tries for one document while the host cannot be reached that end a run, unless told otherwise.
UNREACHABLE: Final = 3
#: Why a run ended that somebody stopped.
BY_HAND: Final = "Stopped by hand."
_LOOK_S: Final = 0.05


class Stop:
    """Hold the wish to end.

    A `threading.Event` would not do: its lock is not one that a signal handler may take while the same thread waits.
    """

    def __init__(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        """Tell whether the run shall end."""
        return self._set

    def set(self) -> None:
        """Ask the run to end."""
        self._set = True

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; true as soon as the run shall end."""
        ends_at = time.monotonic() + seconds
        while not self._set and (left := ends_at - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_S))
        return self._set
