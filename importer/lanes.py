"""Give out documents in workbook order, never two of one customer at a time."""

import threading
from collections import deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from importer.model import Document


class Lanes:
    """Hold the documents that are to be sent, one lane a customer; safe for threads."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._lanes: dict[str, deque[int]] = {}
        for position, document in enumerate(documents):
            if document.status is None:
                # without a customer, a document waits for none but its own key
                lane = f"customer {document.customer.casefold()}" if document.customer else f"key {document.key}"
                self._lanes.setdefault(lane, deque()).append(position)
        self._lane_of = {position: lane for lane, positions in self._lanes.items() for position in positions}
        self._ready = [positions[0] for positions in self._lanes.values()]
        heapify(self._ready)
        self._under_way = 0
        self._closed = False
        self._changed = threading.Condition()

    def take(self, *, wait: bool = True) -> int | None:
        """Return the first position whose customer has no document under way, waiting for one; None at the end.

        Without `wait` also None while there is none.
        """
        with self._changed:
            while wait and not self._ready and self._under_way and not self._closed:
                self._changed.wait()
            if not self._ready or self._closed:
                return None
            self._under_way += 1
            return heappop(self._ready)

    def done(self, position: int) -> None:
        """Let the customer's next document go."""
        with self._changed:
            lane = self._lanes[self._lane_of[position]]
            lane.popleft()
            self._under_way -= 1
            if lane:
                heappush(self._ready, lane[0])
            # for one that waits, or for all at the end
            self._changed.notify_all()

    def close(self) -> None:
        """Give out nothing any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
