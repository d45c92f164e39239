"""What the tests of journal and report share: the record of a run, an outcome, and a claim."""

from decimal import Decimal
from typing import Any, Final

from importer.causes import Catalogue, explain_verdict
from importer.journal import Journal
from importer.model import Document, Outcome, RunRecord, Status, Total

NOW: Final = "2025-01-27T10:00:00.000Z"


def record(run_id: str = "run1", company: str = "company", **more: Any) -> RunRecord:
    """Return the record of a run that has begun; `more` holds what else is said of it."""
    known: dict[str, Any] = {
        "started_at": NOW,
        "finished_at": None,
        "exit_code": None,
        "mapping_name": "invoices",
        "mapping_file": "mapping.yaml",
        "endpoint": "customerInvoice.create",
        "workbook_name": "invoices.xlsx",
        "workbook_sha256": "0" * 64,
        "sheet": "Invoices",
        "header_row": 1,
        "target": "sandbox",
        "simulated": True,
        "rows_read": 2,
        "totals": (Total(name="Net", column="Amount", sum=Decimal("0.10"), expect=None),),
    }
    return RunRecord(run_id=run_id, company=company, **(known | more))


def outcome(key: str = "F0001", position: int = 0, status: Status = Status.NOT_SENT) -> Outcome:
    """Return the outcome of a document of one row."""
    return Outcome(position=position, key=key, status=status, rows=(2 + position,))


def claim(journal: Journal, of: RunRecord, content: str) -> int:
    """Claim F0001 with a body that has this fingerprint."""
    document = Document(key="F0001", rows=(2,), identity="F0001", fingerprint=content * 64)
    return journal.claim(of, document, outcome(), NOW, NOW)


def rejected(key: str, said: str, *rows: int, catalogue: Catalogue | None = None) -> Outcome:
    """Return a rejection with the message that a run gives it."""
    message = f"Visma answered: {said}"
    if catalogue is not None:
        message = explain_verdict(catalogue, message, "customerInvoice.create", "en")
    return Outcome(position=0, key=key, status=Status.REJECTED, rows=rows or (2,), message=message)
