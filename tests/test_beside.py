"""A piece of work that a second process does is done once and whole, or left to the first one."""

import os
import sys
import threading
from pathlib import Path

import pytest

from importer.beside import beside
from importer.errors import WorkbookError
from importer.report import place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux copies a process")


def test_the_work_is_done_by_another_process(tmp_path: Path) -> None:
    """It is there once its end was waited for, and has left nothing in this process."""
    here: list[int] = []

    def work() -> None:
        here.append(1)
        (tmp_path / "who").write_text(str(os.getpid()), encoding="ascii")

    with beside(work) as done:
        assert done()

    assert (tmp_path / "who").read_text(encoding="ascii") != str(os.getpid())
    assert not here


def test_work_that_fails_or_has_something_to_say_is_left_to_the_caller() -> None:
    """A fault, and anything returned, are met where the work is done again."""

    def fails() -> None:
        raise OSError("no room")

    for work in (fails, lambda: ["a note"]):
        with beside(work) as done:
            assert not done()


def test_with_a_second_thread_or_unasked_there_is_no_other_process(tmp_path: Path) -> None:
    """A copy of a process with several threads may hang: the work is left to the caller."""
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    with beside((tmp_path / "made").touch) as done:
        assert not done()
    ends.set()
    thread.join()
    with beside((tmp_path / "made").touch, wanted=False) as done:
        assert not done()
    assert not (tmp_path / "made").exists()


def test_work_that_nobody_waits_for_ends_with_what_it_was_beside() -> None:
    """Ctrl-C meanwhile leaves no process behind."""
    reading, writing = os.pipe()
    with pytest.raises(KeyboardInterrupt), beside(threading.Event().wait):
        raise KeyboardInterrupt
    os.close(writing)

    # at its end once nobody holds the other end any more
    assert os.read(reading, 1) == b""
    os.close(reading)


@pytest.mark.parametrize("apart", [False, True])
def test_a_report_in_two_processes_is_the_same_as_in_one(apart: bool, tmp_path: Path) -> None:
    """All files are put in place together, and what is left out is told, whoever wrote it."""

    def refuse(_target: Path) -> None:
        raise WorkbookError("the copy is missing")

    def write(text: str) -> object:
        return lambda target: target.write_text(text, encoding="ascii")

    (tmp_path / "c").write_text("of an earlier run", encoding="ascii")
    notes = place(tmp_path, {"a": write("1"), "b": write("2"), "c": refuse, "d": write("4")}, apart=apart)  # type: ignore[dict-item]

    assert notes == ["c was not written: the copy is missing"]
    assert {file.name: file.read_text(encoding="ascii") for file in tmp_path.iterdir()} == {
        "a": "1",
        "b": "2",
        "d": "4",
    }
