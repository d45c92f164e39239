"""Write to the terminal, to a file or into a pipe that may be closed, in whatever letters it knows."""

import sys
from typing import Any


class Forgiving:
    """Pass text on to a stream; that nobody listens any more stops no run and changes no exit code."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, or nothing where the stream is closed."""
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


def forgive() -> None:
    """Make this process's streams take every character and outlive a closed pipe."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Forgiving(stream))


def say(text: str, *, error: bool = False) -> None:
    """Write one line."""
    stream = sys.stderr if error else sys.stdout
    stream.write(text + "\n")
    stream.flush()
