"""Colours and a bar are for terminals alone: a job's log is plain text that programs search."""

import os
import pty
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from end_to_end import environment, invoice_rows, make_project, program_here

COLOUR, MOVES = "\x1b[3", ("\x1b[2K", "\x1b[1A", "\x1b[?25l")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rows = invoice_rows(12)
    return make_project(tmp_path / "project", [(rows[0][0], "98765", *rows[0][2:]), *rows[1:]])


def on_terminal(project: Path, *arguments: str, **more: str) -> str:
    """Run the program on a terminal of its own, for both streams; return all that it wrote there."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "importer", *arguments],
        cwd=project,
        env=environment(project, **{"TERM": "xterm-256color", **more}),
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    written = b""
    with closing(os.fdopen(ours, "rb", buffering=0)) as screen:
        try:
            while more_bytes := screen.read(65_536):
                written += more_bytes
        except OSError:  # Linux tells so that the other end was closed
            pass
    assert process.wait(60) == 4
    return written.decode("utf-8", "replace")


def bar(written: str) -> bool:
    """Tell whether something was drawn over again."""
    return any(move in written for move in MOVES)


def test_a_terminal_gets_colours_and_a_bar(project: Path) -> None:
    """So that their absence elsewhere means something."""
    written = on_terminal(project, "run", "mapping.yaml")

    assert (COLOUR in written, bar(written)) == (True, True)


def test_no_color_takes_colours_and_bold_letters_away(project: Path) -> None:
    """Only the bar's own movements are left of what a terminal understands; a set but empty variable counts not."""
    plain = on_terminal(project, "run", "mapping.yaml", NO_COLOR="1")
    coloured = on_terminal(project, "run", "mapping.yaml", NO_COLOR="")
    checked = on_terminal(project, "run", "mapping.yaml", "--quiet", NO_COLOR="1")

    assert "\x1b[3" not in plain
    assert "\x1b[1m" not in plain
    assert bar(plain)
    assert COLOUR in coloured
    assert "\x1b" not in checked


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"CI": "true"}, {"CI": "1"}])
def test_a_terminal_that_cannot_draw_or_is_a_log_gets_lines(project: Path, more: dict[str, str]) -> None:
    """A runner that gives its jobs a terminal would keep each picture of the bar."""
    written = on_terminal(project, "run", "mapping.yaml", **more)

    assert not bar(written)
    assert "12 of 12 documents" in written
    assert more.get("TERM") != "dumb" or "\x1b" not in written


@pytest.mark.parametrize(
    "more",
    [{}, {"FORCE_COLOR": "1"}, {"FORCE_COLOR": "3", "TTY_COMPATIBLE": "1", "CLICOLOR_FORCE": "1"}, {"CI": "true"}],
)
def test_without_a_terminal_there_is_neither_colour_nor_bar(project: Path, more: dict[str, str]) -> None:
    """On both streams, whatever is asked for by variables that are meant for other programs."""
    done = [
        program_here(*arguments, cwd=project, TERM="xterm-256color", **more)
        for arguments in (("run", "mapping.yaml"), ("check", "mapping.yaml"), ("history",), ("check", "none.yaml"))
    ]

    assert [ended.returncode for ended in done] == [4, 0, 0, 3]
    assert "12 of 12 documents" in done[0].stderr
    for ended in done:
        assert "\x1b" not in ended.stdout + ended.stderr
        assert "\r" not in ended.stdout + ended.stderr


def test_what_a_cell_holds_is_not_made_a_picture(project: Path) -> None:
    """A text between colons stays what it is, in the list of problems and in what is left to do."""
    rows = [("F:smile:1", "10001", None, "Kaffe", ":heart:", 10), ("F2", "10001", None, "Kaffe", ":heart:", 10)]
    ran = program_here("check", "mapping.yaml", cwd=make_project(project.parent / "other", rows))

    assert ran.returncode == 3
    assert ":heart:" in ran.stdout
    assert program_here("check", ":heart:.yaml", cwd=project).stderr.startswith(":heart:.yaml")
    assert not {"❤", "😄"} & set(ran.stdout + ran.stderr)
