"""What the comparison is told: how much, how often, where the peers are."""

from dataclasses import dataclass
from pathlib import Path

from peers import Peers
from table import Table


@dataclass(frozen=True)
class Options:
    """Hold how much is measured."""

    #: of the large workbook
    rows: int
    #: how many times each; the median is told
    rounds: int
    #: how many are sent at zero latency
    documents: int
    #: how many of them Newman gets
    newman_documents: int
    #: how long a run with latency takes at best
    seconds: float
    peers: Peers
    #: where everything is made
    folder: Path
    table: Table
    #: at zero latency, and with one
    workers: tuple[int, ...]
    latency_workers: tuple[int, ...]
    latencies_s: tuple[float, ...] = (0.05, 0.2)

    def place(self, name: str) -> Path:
        """Return a folder of this name, made."""
        made = self.folder / name
        made.mkdir(parents=True, exist_ok=True)
        return made
