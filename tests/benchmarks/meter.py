"""Run one command and write down what it took: python meter.py FILE COMMAND...

A process counts the memory of the one that started it as its own, until it holds more: so it is started from here,
where next to nothing is imported.
"""

import os
import sys
import time


def main(file: str, *command: str) -> int:
    """Run a command to its end; write its seconds and its memory in bytes; return its exit code."""
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    # Linux counts kilobytes, macOS bytes
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(file, "w", encoding="utf-8") as out:  # noqa: PTH123 - pathlib is large
        out.write(f"{seconds} {memory}")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
