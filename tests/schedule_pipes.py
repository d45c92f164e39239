"""Ask a process of our own to do something, over its standard streams: one line of JSON there, one back."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from end_to_end import environment

Answerer = Callable[..., Any]


class Servant:
    """Hold a process that answers one question at a time; it ends with the one who asks."""

    def __init__(self, program: str, home: Path, *arguments: str) -> None:
        # the same modules as here, also where the tests run over a copy of the program
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 - as the interpreter reads it
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(program)), *arguments],
            cwd=home,
            env={**environment(home), "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, question: str, **details: Any) -> Any:
        """Return the answer; what went wrong there is raised here."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([question, details]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self._process.args} ended"
        answer, trouble = json.loads(line)
        assert trouble is None, trouble
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


def serve(answerers: Mapping[str, Answerer]) -> None:
    """Answer every question until nobody can ask any more."""
    for line in sys.stdin:
        question, details = json.loads(line)
        try:
            reply = [answerers[question](**details), None]
        except Exception as error:  # noqa: BLE001 - told to the one who asked
            reply = [None, f"{question}: {type(error).__name__}: {error}"]
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
