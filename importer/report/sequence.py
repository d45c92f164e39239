"""Write the report over all steps of a sequence: a page, results for programs, test cases.

Each step has its own report in a folder beside them. Rebuilt from the journal like the report of a run.
"""

import json
import re
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from importer.allowance import allowed_in, fails
from importer.model import Outcome, RunRecord, Status
from importer.report import FILES as STEP_FILES
from importer.report import place
from importer.report.counts import Count, count
from importer.report.json_file import FORMAT_VERSION, results
from importer.report.words import notice


@dataclass(frozen=True, slots=True)
class Part:
    """Hold one step that was begun: its run and what became of its documents."""

    record: RunRecord
    outcomes: tuple[Outcome, ...]

    @property
    def folder(self) -> str:
        """Return the name of the folder of its report."""
        return step_folder(self.record.step or 0, self.record.step_name or self.record.mapping_name)


@dataclass(frozen=True, slots=True)
class Whole:
    """Hold a sequence of runs."""

    #: in the order of the steps
    parts: tuple[Part, ...]

    @property
    def first(self) -> RunRecord:
        """Return the run of the first step that was begun."""
        return self.parts[0].record

    @property
    def name(self) -> str:
        """Return the name of the migration."""
        return self.first.sequence_name or ""

    @property
    def steps(self) -> int:
        """Return how many steps the migration has."""
        return self.first.steps or len(self.parts)

    @property
    def exit_code(self) -> int | None:
        """Return how it ended: the worst of its steps, 6 where a step was not begun; None while one goes on."""
        codes = [part.record.exit_code for part in self.parts]
        if None in codes:
            return None
        whole = len(self.parts) == self.steps
        counts = {status: counted.documents for status, counted in self.counts().items()}
        # what each step may leave, all of them together may leave no more often
        over = 0 in codes and fails(counts, allowed_in(self.first)) and bool(self.first.allowed)
        return next((code for code in (5, 6, 4) if code in codes or (code == 6 and not whole)), 4 if over else 0)  # noqa: PLR2004

    @property
    def stopped(self) -> str:
        """Say why it ended early; empty where each step was begun and none was stopped."""
        told = [part.record.stopped for part in self.parts if part.record.stopped]
        if len(self.parts) < self.steps:
            told.append(f"{self.steps - len(self.parts)} of {self.steps} steps did not begin.")
        return " ".join(told)

    @property
    def finished_at(self) -> str | None:
        """Return when the last step ended."""
        return self.parts[-1].record.finished_at

    def counts(self) -> dict[Status, Count]:
        """Count documents and rows of all steps by status."""
        return count([outcome for part in self.parts for outcome in part.outcomes])


_STEP_FOLDER: Final = re.compile(r"\d{2,}-.")
_UNSAFE: Final = str.maketrans(dict.fromkeys('<>:"/\\|?* ', "-"))


def step_folder(number: int, name: str) -> str:
    """Return the name of the folder of a step's report: `01-customers`."""
    safe = "".join(char if char.isprintable() else "-" for char in name.translate(_UNSAFE)).strip(".-")
    return f"{number:02}-{safe[:60].rstrip('.-') or 'step'}"


def whole_results(whole: Whole) -> dict[str, Any]:
    """Return the results of a sequence as JSON holds them."""
    return {
        "format_version": FORMAT_VERSION,
        "sequence_id": whole.first.sequence_id,
        "migration": whole.name,
        "notice": notice(whole.first),
        "simulated": whole.first.simulated,
        "target": whole.first.target,
        "started_at": whole.first.started_at,
        "finished_at": whole.finished_at,
        "exit_code": whole.exit_code,
        "stopped": whole.stopped,
        "steps_declared": whole.steps,
        "counts": {status.value: asdict(counted) for status, counted in whole.counts().items()},
        "steps": [
            {"step": part.record.step_name, "folder": part.folder, **results(part.record, part.outcomes)}
            for part in whole.parts
        ],
    }


def _write_json(target: Path, whole: Whole) -> None:
    text = json.dumps(whole_results(whole), ensure_ascii=False, indent=1) + "\n"
    target.write_bytes(text.encode("utf-8", "backslashreplace"))


def _write_html(target: Path, whole: Whole) -> None:
    from importer.report import sequence_page

    target.write_bytes(sequence_page.page(whole).encode("utf-8"))


def _write_junit(target: Path, whole: Whole) -> None:
    from importer.report import junit_file

    junit_file.write_all(target, [(part.record, part.outcomes) for part in whole.parts])


def _write_summary(target: Path, whole: Whole) -> None:
    from importer.report import summary_file
    from importer.report.contents import contents
    from importer.report.markdown import text

    code = "its end was not written down" if whole.exit_code is None else f"exit code {whole.exit_code}"
    head = f"# {text(whole.name)}: {len(whole.parts)} of {whole.steps} steps, {code}"
    steps = (summary_file.summary(contents(part.record, part.outcomes)) for part in whole.parts)
    target.write_bytes("\n".join([f"{head}\n", *steps]).encode())


FILES: Final[tuple[tuple[str, Callable[[Path, Whole], None]], ...]] = (
    ("results.json", _write_json),
    ("results.html", _write_html),
    ("results.junit.xml", _write_junit),
    ("summary.md", _write_summary),
)


def write_whole(folder: Path, whole: Whole) -> None:
    """Write the files over all steps into a folder, in place of an earlier report.

    Raises: OSError when it cannot be written.
    """
    place(folder, {name: partial(_written, writer, whole) for name, writer in FILES})
    _without_others(folder, {part.folder for part in whole.parts})


def _without_others(folder: Path, own: Set[str]) -> None:
    """Take away what an earlier report says of steps that this sequence did not begin."""
    for other in folder.iterdir():
        if other.name not in own and _STEP_FOLDER.match(other.name) and (other / "results.json").is_file():
            for name, _ in STEP_FILES:
                (other / name).unlink(missing_ok=True)
            with suppress(OSError):
                # unless somebody keeps something else there
                other.rmdir()


def _written(writer: Callable[[Path, Whole], None], whole: Whole, target: Path) -> None:
    writer(target, whole)
