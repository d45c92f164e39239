"""What people would use instead: set up in a folder of their own, never by the product, and run as they would be.

The plain script reads the workbook and sends. Newman reads no workbook: it gets its bodies ready-made in a data file.
drt reads no workbook either: it gets the rows in an SQLite database, whose SQL makes the lines of an invoice into one
text of JSON. What is made ready for them is in none of their figures. None of the three keeps a journal.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import Measured, measure
from workbook import Row, body_of

_PYTHON_PACKAGES = ("pandas", "openpyxl", "requests", "drt-core")
_HERE = Path(__file__).parent
_PATIENCE_S = 900


@dataclass(frozen=True)
class Peers:
    """Hold where the peers are; what is not there says why."""

    #: with pandas, openpyxl, requests and drt
    python: Path | None = None
    newman: Path | None = None
    missing: str = "not installed"

    @property
    def drt(self) -> Path | None:
        """Return where drt is, which is installed with the others."""
        return self.python and self.python.with_name("drt")


def set_up(cache: Path) -> Peers:
    """Install what is not there yet."""
    python, newman = cache / "venv" / "bin" / "python", cache / "npm" / "node_modules" / ".bin" / "newman"
    missing = []
    if not (cache / "venv" / "complete").is_file():
        steps = [
            [sys.executable, "-m", "venv", "--clear", str(cache / "venv")],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_PYTHON_PACKAGES],
            [str(python), "-c", "open(__import__('sys').argv[1], 'w')", str(cache / "venv" / "complete")],
        ]
        missing += [f"pip: {why}" for why in _carry_out(steps)]
    if not newman.exists():
        npm = shutil.which("npm")
        steps = [
            [npm or "npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(cache / "npm"), "newman"]
        ]
        missing += [f"npm: {why}" for why in (_carry_out(steps) if npm else ["there is none here"])]
    return Peers(
        python=python if (cache / "venv" / "complete").is_file() else None,
        newman=newman if newman.exists() else None,
        missing=f"not installed ({'; '.join(missing)})" if missing else "not installed",
    )


def _carry_out(steps: Sequence[Sequence[str]]) -> list[str]:
    """Run commands one after the other; return why the first one that failed did."""
    for step in steps:
        try:
            subprocess.run(step, capture_output=True, text=True, check=True, timeout=_PATIENCE_S)
        except subprocess.CalledProcessError as error:
            return [(error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]]
        except (OSError, subprocess.TimeoutExpired) as error:
            return [str(error)]
    return []


def versions(peers: Peers) -> str:
    """Name the peers with their versions."""
    told = []
    if peers.python:
        code = "import importlib.metadata as m, sys; print(*(f'{n} {m.version(n)}' for n in sys.argv[1:]), sep=', ')"
        told.append(_said([str(peers.python), "-c", code, *_PYTHON_PACKAGES]))
    if peers.newman:
        told.append(f"newman {_said([str(peers.newman), '--version'])}")
    return ", ".join(told) or peers.missing


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


def environment_of(home: Path) -> dict[str, str]:
    """Return the environment of the peers: no proxy stands between them and this machine, and no settings of ours."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "NO_PROXY": "127.0.0.1", "DRT_TELEMETRY": "0"}


def read_with_pandas(python: Path, workbook: Path) -> Measured:
    """Read a workbook with pandas; the seconds are those of the one call, the memory is that of its process."""
    code = (
        "import sys, time, pandas\nbegan = time.perf_counter()\n"
        "frame = pandas.read_excel(sys.argv[1])\nprint(time.perf_counter() - began, len(frame))"
    )
    took = measure([python, "-c", code, workbook], workbook.parent, environment_of(workbook.parent))
    return Measured(float(took.said.split()[0]), took.megabytes, took.said)


def send_with_script(python: Path, workbook: Path, address: str) -> Measured:
    """Send the invoices of a workbook with the plain script."""
    command = [python, _HERE / "plain_script.py", workbook, address]
    return measure(command, workbook.parent, environment_of(workbook.parent))


def send_with_newman(newman: Path, folder: Path, invoices: Sequence[list[Row]], address: str) -> Measured:
    """Send invoices with Newman: one request, its bodies in a data file."""
    request = {
        "method": "POST",
        "header": [
            {"key": "Content-Type", "value": "application/json"},
            {"key": "Authorization", "value": "Bearer a token"},
        ],
        "url": f"{address}/v1/customerinvoice",
        "body": {"mode": "raw", "raw": "{{body}}"},
    }
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    collection = {"info": {"name": "invoices", "schema": schema}, "item": [{"name": "invoice", "request": request}]}
    data = [{"body": json.dumps(body_of(lines))} for lines in invoices]
    (folder / "collection.json").write_text(json.dumps(collection), encoding="utf-8")
    (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")
    command = [newman, "run", "collection.json", "-d", "data.json", "--silent"]
    return measure(command, folder, environment_of(folder))


_SQL = """\
SELECT number, customer, day, due, currency, reference, json_group_array(json_object(
  'operation', 'Insert', 'description', json_object('value', text), 'quantity', json_object('value', quantity),
  'uom', json_object('value', unit), 'unitPriceInCurrency', json_object('value', price),
  'accountNumber', json_object('value', account), 'vatCodeId', json_object('value', code))) AS lines
FROM invoices GROUP BY number"""
_SYNC = """\
name: invoices
model: "{sql}"
destination:
  type: rest_api
  url: {address}/v1/customerinvoice
  headers: {{Content-Type: application/json, Authorization: Bearer a token}}
  body_template: |
    {{"externalReference": {{"value": {{{{ row.number | tojson_safe }}}}}},
     "customerNumber": {{"value": {{{{ row.customer | tojson_safe }}}}}},
     "documentDate": {{"value": {{{{ row.day | tojson_safe }}}}}},
     "documentDueDate": {{"value": {{{{ row.due | tojson_safe }}}}}},
     "currencyId": {{"value": {{{{ row.currency | tojson_safe }}}}}},
     "customerRefNumber": {{"value": {{{{ row.reference | tojson_safe }}}}}},
     "invoiceLines": {{{{ row.lines }}}}}}
sync: {{mode: full, batch_size: 1000, on_error: fail, rate_limit: {{requests_per_second: 0}}}}
"""


def send_with_drt(drt: Path, folder: Path, invoices: Sequence[list[Row]], address: str) -> Measured:
    """Send invoices with drt, from a database."""
    database = folder / "invoices.sqlite"
    database.unlink(missing_ok=True)
    with sqlite3.connect(database) as made:
        made.execute(
            "CREATE TABLE invoices (number, customer, day, due, currency, text, quantity, unit, price, account, code, "
            "reference)"
        )
        rows = [(*row[:2], row[2].isoformat(), row[3].isoformat(), *row[4:]) for lines in invoices for row in lines]
        made.executemany(f"INSERT INTO invoices VALUES ({', '.join('?' * len(rows[0]))})", rows)
    made.close()
    for name in (".drt", "syncs"):
        (folder / name).mkdir(exist_ok=True)
    (folder / ".drt" / "profiles.yml").write_text(f"local:\n  type: sqlite\n  database: {database}\n", encoding="utf-8")
    (folder / "drt_project.yml").write_text("name: benchmark\nprofile: local\n", encoding="utf-8")
    sync = _SYNC.format(sql=" ".join(_SQL.split()), address=address)
    (folder / "syncs" / "invoices.yml").write_text(sync, encoding="utf-8")
    return measure([drt, "run"], folder, environment_of(folder))
