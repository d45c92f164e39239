"""Simulate the accounting API on a loopback port, so that everything can be tried without reaching anybody.

Follow one request: server (sockets) -> gate (authorise, limit, faults) -> routes (path) -> operations (rules,
store) -> answers and reading (what goes back). `resources.json` and `company.json` hold what a resource and
the company look like. Nothing here is shared with the part that sends, so that the two cannot share a
mistake.
"""

from importer.sandbox.server import Sandbox
from importer.sandbox.settings import Fault, Settings
from importer.sandbox.store import reset

__all__ = ["Fault", "Sandbox", "Settings", "reset"]
