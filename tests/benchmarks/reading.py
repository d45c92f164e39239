"""Part 1: a check beside what only reads the same workbook, with the rows, from a standing start."""

import sys

from end_to_end import environment
from measuring import Measured, measure, measure_program, median, ratio
from options import Options
from peers import read_with_pandas
from projects import WORKBOOK, check, make_project
from workbook import make_workbook

_SMALL = 200
_PART_OF_PANDAS = 1 / 3
_MOST_MEGABYTES = 300
_MOST_OF_TEN = 11
_MOST_SMALL_S = 1
_MOST_STARTS = 5
_STARTS = 7


def compare_reading(options: Options) -> None:
    """Measure `check` against pandas, against a tenth of the rows, and the start of the program."""
    table = options.table
    table.head("1. check, and the start")
    sizes = {"large": options.rows, "tenth": options.rows // 10, "small": _SMALL}
    projects = {
        name: make_project(options.folder / name, make_workbook(options.folder / f"{name}.xlsx", rows))
        for name, rows in sizes.items()
    }
    took: dict[str, list[Measured]] = {name: [] for name in ("pandas", *projects)}
    for _ in range(options.rounds):
        if options.peers.python:
            took["pandas"].append(read_with_pandas(options.peers.python, projects["large"] / WORKBOOK))
        for name, project in projects.items():
            took[name].append(check(project))
    seconds = {name: [one.seconds for one in measured] for name, measured in took.items()}
    memory = max(one.megabytes for one in took["large"])
    if took["pandas"]:
        told = f"{median(seconds['pandas']):.2f} s, {max(one.megabytes for one in took['pandas']):.0f} MB"
        table.line(f"pandas.read_excel, {options.rows:,} rows", told)
    else:
        table.line("pandas.read_excel", options.peers.missing)
    told, large = f"{median(seconds['large']):.2f} s", f"check, {options.rows:,} rows"
    if took["pandas"]:
        times = ratio(seconds["large"], seconds["pandas"])
        table.line(large, f"{told} = {times:.2f} x pandas", "at most 0.33 x pandas", met=times <= _PART_OF_PANDAS)
    else:
        table.line(large, told)
    target = f"at most {_MOST_MEGABYTES} MB"
    table.line("  memory of the check", f"{memory:.0f} MB", target, met=memory <= _MOST_MEGABYTES)
    times = ratio(seconds["large"], seconds["tenth"])
    told = f"{median(seconds['tenth']):.2f} s; ten times the rows cost {times:.1f} x"
    table.line(f"check, {sizes['tenth']:,} rows", told, f"at most {_MOST_OF_TEN} x", met=times <= _MOST_OF_TEN)
    told = f"{median(seconds['small']):.2f} s, {took['small'][0].megabytes:.0f} MB"
    table.line(f"check, {_SMALL} rows", told, f"under {_MOST_SMALL_S} s", met=median(seconds["small"]) < _MOST_SMALL_S)
    _compare_starts(options)


def _compare_starts(options: Options) -> None:
    folder = options.place("start")
    empty: list[float] = []
    helped: list[float] = []
    for _ in range(_STARTS * options.rounds):
        empty.append(measure([sys.executable, "-c", "pass"], folder, environment(folder)).seconds)
        helped.append(measure_program(folder, "--help").seconds)
    # the first ones may have to compile the program
    times = ratio(helped[1:], empty[1:])
    told = f"{median(helped[1:]) * 1000:.0f} ms = {times:.1f} x python -c pass ({median(empty[1:]) * 1000:.0f} ms)"
    options.table.line("--help", told, f"at most {_MOST_STARTS} x", met=times <= _MOST_STARTS)
