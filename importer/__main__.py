"""Start the program: `python -m importer` is the same as `visma-import`."""

import gc
import os
import sys
from contextlib import suppress
from typing import Final

#: So many new objects before the young ones are looked through for cycles to free; with Python's 700 a check of a large
#: workbook takes a seventh longer. A fault that holds on to its traceback, for each of many documents, is still freed.
_OBJECTS: Final = 20_000


def main() -> None:
    """Run the command line and exit with its code."""
    # nearly all that a start makes lives until the end; to look for waste in it so often only costs time
    gc.set_threshold(_OBJECTS, 20, 20)
    from importer.cli import interrupts, run_command, stream

    stream.forgive()
    interrupts.install()
    code = stream.told_whole(run_command(sys.argv[1:]), sys.argv[1:])
    for name, number in (("stdout", 1), ("stderr", 2)):
        getattr(sys, name).flush()
        # what the interpreter flushes at its end goes nowhere where the pipe is closed already, or the disk full
        with suppress(OSError, ValueError):
            if getattr(sys, name).closed or getattr(sys, name).lost:
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    # at its end the interpreter would look through all that is left for cycles, again and again
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
