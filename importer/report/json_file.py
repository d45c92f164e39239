"""Write results.json: what a run did, for programs. Described by `schemas/results.schema.json`."""

import json
from collections.abc import Sequence
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


def results(record: RunRecord, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return a run's results as JSON holds them, decimals as text."""
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
        "documents": [_document(outcome) for outcome in sorted(outcomes, key=lambda o: o.position)],
    }


def write(target: Path, told: Contents) -> None:
    """Write a run's results as a file of JSON."""
    text = json.dumps(results(told.record, told.outcomes), ensure_ascii=False, indent=1) + "\n"
    # A lone surrogate has no UTF-8 form; backslashreplace writes it as the escape that JSON has for it.
    target.write_bytes(text.encode("utf-8", "backslashreplace"))


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
