"""Measure commands: how long each took, how much memory it held, what the API saw of it and what the journal says."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1]))
from databases import rows_of
from end_to_end import environment

_METER = Path(__file__).with_name("meter.py")


@dataclass(frozen=True)
class Measured:
    """Hold what one command took."""

    seconds: float
    #: the most that the largest process of its tree ever held
    megabytes: float
    #: what it printed
    said: str = ""


def measure(command: Sequence[str | Path], folder: Path, env: Mapping[str, str], code: int = 0) -> Measured:
    """Run a command to its end, which must have the exit code."""
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "measured"
        meter = [sys.executable, "-I", "-S", str(_METER), str(file)]
        process = subprocess.run(
            [*meter, *map(str, command)],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        assert process.returncode == code, process.stdout[-4000:]
        seconds, memory = file.read_text(encoding="utf-8").split()
    return Measured(float(seconds), float(memory) / 1_000_000, process.stdout)


def measure_program(folder: Path, *arguments: str, code: int = 0) -> Measured:
    """Run this program in a folder to its end, which must have the exit code."""
    return measure([sys.executable, "-m", "importer", *arguments], folder, environment(folder), code)


@contextmanager
def quick_api(latency_s: float) -> Iterator[str]:
    """Serve the stand-in for the API in a process of its own; yield its address."""
    program = [sys.executable, str(Path(__file__).with_name("quick_api.py")), str(latency_s)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(10)


def taken(address: str, documents: int) -> float:
    """Return the seconds from the first document that the API was sent to its last answer; it must have them all."""
    with urlopen(f"{address}/count", timeout=60) as answer:
        told = json.loads(answer.read())
    assert told["documents"] == documents, told
    return float(told["seconds"])


def settled(journal: str, documents: int) -> tuple[float, datetime]:
    """Return the seconds from the first claim to the last settlement in a journal, and when that was.

    Each document must be accepted there.
    """
    with rows_of(journal) as connection:
        query = "SELECT count(*), min(claimed_at), max(settled_at) FROM attempt WHERE state = 'accepted'"
        count, first, last = connection.execute(sa.text(query)).one()
    assert count == documents, count
    ended = datetime.fromisoformat(last)
    return (ended - datetime.fromisoformat(first)).total_seconds(), ended.replace(tzinfo=ended.tzinfo or UTC)


def median(figures: Iterable[float]) -> float:
    """Return the median of what the rounds measured."""
    return statistics.median(figures)


def ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Return the median of the ratios round by round: each pair was measured in the same minute."""
    return median(one / other for one, other in zip(these, those, strict=True))
