"""Write JSON with its numbers exactly as they are, and tell equal bodies by a fingerprint."""

import hashlib
import json
from decimal import Decimal
from typing import Any


def plain(number: Decimal) -> str:
    """Write a decimal as digits, never with an exponent, never as `-0`."""
    return format(number if number else abs(number), "f")


def write_json(node: Any) -> str:
    """Write parsed JSON back with its numbers exactly as they are."""
    if isinstance(node, dict):
        return "{" + ", ".join(f"{json.dumps(n, ensure_ascii=False)}: {write_json(v)}" for n, v in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(map(write_json, node)) + "]"
    return plain(node) if isinstance(node, Decimal) else json.dumps(node, ensure_ascii=False)


def canonical_fingerprint(data: dict[str, Any]) -> str:
    """Return the SHA-256 of a body that is the same for equal bodies, hexadecimal."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()


def canonical(node: Any) -> str:
    """Write parsed JSON so that equal bodies are equal texts: names sorted, 1.50 as 1.5."""
    if isinstance(node, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{canonical(node[name])}" for name in sorted(node)) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(canonical, node)) + "]"
    if isinstance(node, bool) or not isinstance(node, int | Decimal):
        return json.dumps(node)
    number = plain(Decimal(node))
    return number.rstrip("0").rstrip(".") if "." in number else number
