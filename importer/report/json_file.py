"""Write results.json: what a run did, for programs. Described by `schemas/results.schema.json`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from importer.allowance import allowed_in
from importer.model import Outcome, RunRecord, Total
from importer.report.contents import Contents
from importer.report.counts import count
from importer.report.words import notice

FORMAT_VERSION: Final = 1
_BUFFER: Final = 1 << 18
_NEXT: Final = "\n    "
_END: Final = "\n   "


def results(record: RunRecord, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return a run's results as JSON holds them, decimals as text."""
    documents = [_document(outcome) for outcome in sorted(outcomes, key=lambda o: o.position)]
    return {**whole(record, outcomes), "documents": documents}


def whole(record: RunRecord, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the results without the single documents."""
    return {
        "format_version": FORMAT_VERSION,
        "run_id": record.run_id,
        "notice": notice(record),
        "simulated": record.simulated,
        "mapping": record.mapping_name,
        "endpoint": record.endpoint,
        "workbook": {"name": record.workbook_name, "sha256": record.workbook_sha256},
        "target": record.target,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "exit_code": record.exit_code,
        "stopped": record.stopped,
        **_allowed(record),
        "counts": {status.value: asdict(counted) for status, counted in count(outcomes).items()},
        "totals": [_total(total) for total in record.totals],
    }


def write(target: Path, told: Contents) -> None:
    """Write a run's results as a file of JSON, one document after the other."""
    head = _indented(whole(told.record, told.outcomes)).removesuffix("\n}")
    # A lone surrogate has no UTF-8 form; backslashreplace writes it as the escape that JSON has for it.
    with target.open("w", encoding="utf-8", errors="backslashreplace", newline="\n", buffering=_BUFFER) as file:
        file.write(f'{head},\n "documents": [')
        file.writelines(_pieces(told.outcomes))
        file.write("\n ]\n}\n" if told.outcomes else "]\n}\n")


def _pieces(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Write documents as `_indented` would, many times faster."""
    text = json.encoder.encode_basestring
    between = "\n"
    for outcome in sorted(outcomes, key=lambda outcome: outcome.position):
        rows = ",\n    ".join(map(str, outcome.rows))
        problems = _indented([asdict(problem) for problem in outcome.problems], 3) if outcome.problems else "[]"
        yield (
            f'{between}  {{\n   "key": {"null" if outcome.key is None else text(outcome.key)},'
            f'\n   "status": "{outcome.status.value}",'
            f'\n   "number": {"null" if outcome.number is None else text(outcome.number)},'
            f'\n   "rows": {f"[{_NEXT}{rows}{_END}]" if rows else "[]"},'
            f'\n   "http_status": {"null" if outcome.http_status is None else outcome.http_status},'
            f'\n   "message": {text(outcome.message)},'
            f'\n   "problems": {problems},'
            f'\n   "sent_at": {"null" if outcome.sent_at is None else text(outcome.sent_at)}\n  }}'
        )
        between = ",\n"


def _indented(data: object, by: int = 0) -> str:
    """Write JSON over several lines, all but the first as far from the margin as is said."""
    return json.dumps(data, ensure_ascii=False, indent=1).replace("\n", "\n" + " " * by)


def _allowed(record: RunRecord) -> dict[str, dict[str, int]]:
    """Return what the run was allowed to leave; nothing where it was not told."""
    allowed = allowed_in(record)
    return {"allowed": {status.value: number for status, number in allowed.items()}} if allowed else {}


def _total(total: Total) -> dict[str, Any]:
    return {
        "name": total.name,
        "column": total.column,
        "sum": _decimal(total.sum),
        "expect": _decimal(total.expect),
        "agrees": total.agrees,
    }


def _decimal(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "status": outcome.status.value,
        "number": outcome.number,
        "rows": list(outcome.rows),
        "http_status": outcome.http_status,
        "message": outcome.message,
        "problems": [asdict(problem) for problem in outcome.problems],
        "sent_at": outcome.sent_at,
    }
