"""Measure the program beside what people would use instead, and print one table.

    python tests/benchmarks/compare.py
    python tests/benchmarks/compare.py --quick --parts 1 3

The workbook is made anew: 100,000 rows of 12 columns, 33,334 invoices of about three lines. The API is one of the
benchmark's own on this machine, in a process of its own. Peers (pandas with requests, Newman, drt) are installed into a
folder of their own. Each figure is the median of several rounds, in which everything that is compared runs in turn;
memory is the most that the largest process of a command ever held. Ends with 1 where a target is missed.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from options import Options
from peers import Peers, set_up, versions
from reading import compare_reading
from sending import compare_latency, compare_sending
from table import Table
from whole import compare_whole

_PARTS = {"1": compare_reading, "2": compare_sending, "3": compare_latency, "4": compare_whole}
#: rows, rounds, documents at zero latency, those of Newman, seconds of a run with latency
_FULL, _QUICK = (100_000, 3, 10_000, 300, 20.0), (3_000, 1, 300, 50, 1.0)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "visma-import-benchmarks"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small workbook, one round: to see that it works")
    parser.add_argument("--rows", type=int, help="of the large workbook")
    parser.add_argument("--rounds", type=int, help="how many times each; the median is told")
    parser.add_argument("--documents", type=int, help="how many are sent at zero latency")
    parser.add_argument("--newman", type=int, metavar="N", help="how many of them Newman gets, which is slow")
    parser.add_argument("--seconds", type=float, help="how long each run with latency takes at best")
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS), help="only these parts")
    parser.add_argument("--cache", type=Path, default=_cache(), help="where the peers are installed")
    parser.add_argument("--without-peers", action="store_true", help="install none, measure none")
    return parser.parse_args()


def main() -> int:
    """Measure everything that is asked for; return 1 where a target is missed."""
    given = _arguments()
    asked = (given.rows, given.rounds, given.documents, given.newman, given.seconds)
    rows, rounds, documents, newman, seconds = (
        usual if one is None else one for one, usual in zip(asked, _QUICK if given.quick else _FULL, strict=True)
    )
    peers = Peers() if given.without_peers else set_up(given.cache)
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, {rounds} rounds. Peers: {versions(peers)}")
    with tempfile.TemporaryDirectory() as made:
        options = Options(
            rows=rows,
            rounds=rounds,
            documents=documents,
            newman_documents=newman,
            seconds=seconds,
            peers=peers,
            folder=Path(made),
            table=Table(),
            workers=(1, 8) if given.quick else (1, 8, 16),
            latency_workers=(8,) if given.quick else (4, 8, 16),
        )
        for part in given.parts:
            _PARTS[part](options)
        return options.table.end()


if __name__ == "__main__":
    sys.exit(main())
