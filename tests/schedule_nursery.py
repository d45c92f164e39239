"""Start the program as real processes without its start-up time: forked from one that has imported everything.

This process has one thread, no open journal and no connection, so that a fork of it is a program that was just started.
"""

import gc
import importlib.util
import os
import pkgutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from end_to_end import invoice_rows, make_project, run_here
from schedule_pipes import serve

import importer
from importer.__main__ import main

#: What the program imports only when it meets it.
_LATE = ("sqlalchemy.dialects.sqlite", "encodings.idna", "openpyxl.cell._writer", "http.cookiejar", "sqlite3")
_children: set[int] = set()


def start(arguments: list[str], cwd: str, out: str) -> int:
    """Start the program; return its process. What it prints goes into a file."""
    child = os.fork()
    if child:
        _children.add(child)
        return child
    _become(arguments, cwd, out)
    code: Any = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    # at once: to tidy up all that was imported would take longer than the run did
    os._exit(code or 0)


def _become(arguments: list[str], cwd: str, out: str) -> None:
    """Take the place of a program that a shell has started."""
    written, nothing = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), os.open(os.devnull, os.O_RDONLY)
    for number, there in ((0, nothing), (1, written), (2, written)):
        os.dup2(there, number)
    os.chdir(cwd)
    _children.clear()
    sys.argv = ["visma-import", *arguments]


def poll(child: int) -> int | None:
    """Return the exit code of a process that has ended, with a minus the signal that ended it; None while it lives."""
    ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        return None
    _children.discard(child)
    return os.waitstatus_to_exitcode(status)


def warm(folder: Path) -> None:
    """Import all of the program, and let it fill what it keeps in memory by runs on a sandbox of their own."""
    for module in pkgutil.walk_packages(importer.__path__, "importer."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (*_LATE, *(["psycopg", "sqlalchemy.dialects.postgresql.psycopg"] if _has_psycopg() else [])):
        importlib.import_module(name)
    for _ in range(2):
        ran = run_here(make_project(folder / "warm", invoice_rows(3)), "--quiet")
        assert ran.code == 0, ran.stdout + ran.stderr
    deadline = time.monotonic() + 10
    while threading.active_count() > 1:
        assert time.monotonic() < deadline, f"threads are left, so nothing can be forked: {threading.enumerate()}"
        time.sleep(0.01)
    # what is there now is never collected, so that a fork touches as little memory as can be
    gc.collect()
    gc.freeze()


def _has_psycopg() -> bool:
    return importlib.util.find_spec("psycopg") is not None


def _answer_all() -> None:
    try:
        serve({"start": start, "poll": poll})
    finally:
        for child in _children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    warm(Path.cwd())
    _answer_all()
