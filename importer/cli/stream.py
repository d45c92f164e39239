"""Write to the terminal, to a file or into a pipe that may be closed, in whatever letters it knows."""

import errno
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from importer.errors import StartError, StoppedError, advice_for, reason_of

#: What a job's runner takes for a command: `::` at a line's beginning, `##[` and `##vso[` anywhere.
#: Source: the runners of GitHub Actions (ActionCommand.cs) and Azure Pipelines (Command.cs).
_COMMAND: Final = re.compile(r"((?:^|(?<=\r))[^\S\r\n]*:(?=:)|#(?=#(?:vso)?\[))", re.MULTILINE)


#: How a system tells that nobody reads a pipe any more; Windows has but the last of them for it.
_CLOSED: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN, errno.EINVAL})


class Forgiving:
    """Pass text on to a stream; that nobody listens any more stops no run and changes no exit code.

    Where a job's runner reads along, no text that came from a cell or a file is a command to it.
    """

    def __init__(self, stream: Any, *, guarded: bool = False) -> None:
        self._stream = stream
        self._guarded = guarded
        self._fresh = True
        # one that was hung up fails like a disk
        self._terminal = stream.isatty()
        #: why what was written is not whole, though somebody wanted it, such as a full disk
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write a text, or nothing where the stream is closed."""
        return self.command(_harmless(text, fresh=self._fresh) if self._guarded else text)

    def command(self, text: str) -> int:
        """Write a text that may be a command to the runner."""
        self._fresh = text.endswith("\n") if text else self._fresh
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush, or nothing where the stream is closed."""
        self._try(self._stream.flush)

    def _try(self, write: Callable[[], Any]) -> None:
        # nothing more, so that no hole is in what was written
        if self.lost is not None:
            return
        try:
            write()
        except OSError as error:
            if not self._terminal and error.errno not in _CLOSED:
                self.lost = error
        except ValueError:  # it is closed
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _harmless(text: str, *, fresh: bool) -> str:
    """Return a text with a space in whatever a runner would take for a command; `fresh` where a line begins."""
    return _COMMAND.sub(r"\1 ", text) if fresh else _COMMAND.sub(r"\1 ", f".{text}")[1:]


def runner() -> str:
    """Name the service whose runner reads what this process prints: github, azure or none."""
    if os.environ.get("GITHUB_ACTIONS", "").lower() == "true":
        return "github"
    return "azure" if os.environ.get("TF_BUILD", "").lower() == "true" else "none"


def forgive() -> None:
    """Make this process's streams take every character and outlive a closed pipe; one that is missing goes nowhere."""
    guarded = runner() != "none"
    # in this order each takes the number of the missing one, which a journal would have got next
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Forgiving(stream, guarded=guarded))


def told_whole(code: int, arguments: Sequence[str]) -> int:
    """Return the exit code of a command: none is 0 where what it printed is not whole, which is said here."""
    out = sys.stdout
    out.flush()
    if not isinstance(out, Forgiving) or out.lost is None:
        return code
    say(f"What the command prints could not be written: {reason_of(out.lost)}. {advice_for(out.lost)}", error=True)
    # a run may have sent all of it, so that it is not one that could not start
    return code or (StoppedError if arguments[:1] == ["run"] else StartError).exit_code


def say(text: str, *, error: bool = False) -> None:
    """Write one line."""
    stream = sys.stderr if error else sys.stdout
    stream.write(text + "\n")
    stream.flush()


def printable(text: str) -> str:
    """Return a text without characters that could move the cursor or colour the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def tell_runner(command: str) -> None:
    """Write one command to the runner that reads this process's messages."""
    stream = sys.stderr
    (stream.command if isinstance(stream, Forgiving) else stream.write)(command + "\n")
    stream.flush()
