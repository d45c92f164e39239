"""Keep Python from looking again and again through what is being built up for cycles to free."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: By default Python looks after 700 new containers; a large sheet has millions of them, and none is in a cycle.
_SELDOM: Final = (200_000, 50, 50)


@contextmanager
def seldom_sought() -> Iterator[None]:
    """Look for cycles seldom for a while: with many rows a seventh of the time would go into the search.

    They are still found, so that a fault that holds on to its traceback for each of many documents fills no memory.
    """
    before = gc.get_threshold()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
