"""Write to the terminal, to a file or into a pipe that may be closed, in whatever letters it knows."""

import os
import re
import sys
from typing import Any, Final

#: What a job's runner takes for a command: `::` at a line's beginning, `##[` and `##vso[` anywhere.
#: Source: the runners of GitHub Actions (ActionCommand.cs) and Azure Pipelines (Command.cs).
_COMMAND: Final = re.compile(r"((?:^|(?<=\r))[^\S\r\n]*:(?=:)|#(?=#(?:vso)?\[))", re.MULTILINE)


class Forgiving:
    """Pass text on to a stream; that nobody listens any more stops no run and changes no exit code.

    Where a job's runner reads along, no text that came from a cell or a file is a command to it.
    """

    def __init__(self, stream: Any, *, guarded: bool = False) -> None:
        self._stream = stream
        self._guarded = guarded
        self._fresh = True

    def write(self, text: str) -> int:
        """Write a text, or nothing where the stream is closed."""
        return self.command(_harmless(text, fresh=self._fresh) if self._guarded else text)

    def command(self, text: str) -> int:
        """Write a text that may be a command to the runner."""
        self._fresh = text.endswith("\n") if text else self._fresh
        try:
            return int(self._stream.write(text))
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """Flush, or nothing where the stream is closed."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
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
    """Make this process's streams take every character and outlive a closed pipe."""
    guarded = runner() != "none"
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Forgiving(stream, guarded=guarded))


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
