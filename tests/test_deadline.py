"""An exchange that takes too long is cut, and no other one."""

import socket
import threading
import time

from firm import wait_for

from importer.api.deadline import Deadline, Watch


def test_only_exchanges_whose_time_is_over_are_cut() -> None:
    """One thread watches over all of them, in whatever order they began; what has ended is not cut afterwards."""
    watch, pairs = Watch(), [socket.socketpair() for _ in range(3)]
    late, early, ended = (Deadline(watch, seconds) for seconds in (60, 0.2, 0.2))
    threads = threading.active_count()
    with late, early:
        with ended:
            for deadline, (own, _) in zip((late, early, ended), pairs, strict=True):
                deadline.socket = own
        assert pairs[1][1].recv(1) == b""
        time.sleep(0.1)

        assert threading.active_count() == threads + 1
        assert (late.passed, early.passed, ended.passed) == (False, True, False)
    for own, other in pairs:
        own.close()
        other.close()
    watch.close()
    wait_for(lambda: threading.active_count() == threads)
