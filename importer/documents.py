"""Make a document of a rendered body, and fill in the numbers of other documents that it lacks. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, NamedTuple

from importer.endpoints import Endpoint
from importer.expect import expectation, text_of
from importer.jsontext import canonical_fingerprint, write_json
from importer.model import Document, Reference
from importer.template import Rendered

#: What a number that is not known yet begins with, and never a number in Visma.
MARK: Final = Reference("", "")[0]


class Rows(NamedTuple):
    """Hold which rows are a document."""

    key: str | None
    rows: tuple[int, ...]


def document_of(
    endpoint: Endpoint, document: Rows, rendered: Rendered, references: tuple[Reference, ...], *, sent: bool
) -> Document:
    """Return the document of these rows with this body; `sent` is false where the request has none."""
    body = rendered.body if sent else b""
    known = _known_by(endpoint, document, rendered)
    return Document(key=document.key, rows=document.rows, references=references, body=body, **known)


def _known_by(endpoint: Endpoint, document: Rows | Document, rendered: Rendered) -> dict[str, Any]:
    """Return what of a document follows from its body."""
    data, fingerprint = rendered.data, rendered.fingerprint
    inserts = b'"operation": "Insert"' in rendered.body
    by_content = endpoint.kind == "action" or (endpoint.repeatable and inserts)
    return {
        "endpoint": endpoint.creates.name,
        "fingerprint": fingerprint,
        "identity": f"{document.key}\n{fingerprint}" if by_content else str(document.key),
        "repeatable": endpoint.repeatable and not inserts,
        "expect": expectation(endpoint, data).dump(),
        "customer": text_of(data, endpoint.customer_field),
        "number": text_of(data, endpoint.number_field),
    }


def references_in(data: Any, found: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return which references stand in a body, each once."""
    wanted = tuple(dict.fromkeys(found))
    if not wanted:
        return ()
    pattern = _any_of(wanted)
    standing = {match for text in _texts(data) for match in pattern.findall(text)}
    return tuple(one for one in wanted if one in standing)


def put(data: Any, numbers: Dictionary[Reference, str]) -> Any:
    """Return a body with numbers in place of references; what is put in is not looked at again."""
    pattern = _any_of(numbers)

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: walk(inner) for name, inner in node.items()}
        if isinstance(node, list):
            return [walk(inner) for inner in node]
        return pattern.sub(lambda match: by_text[match[0]], node) if isinstance(node, str) else node

    by_text = {str(reference): number for reference, number in numbers.items()}
    return walk(data)


def _any_of(references: Iterable[Reference]) -> re.Pattern[str]:
    """Return what finds references in a text; a key may itself look like one, so the longest first."""
    return re.compile("|".join(re.escape(one) for one in sorted(references, key=len, reverse=True)))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for inner in node.values():
            yield from _texts(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _texts(inner)
    elif isinstance(node, str):
        yield node


def filled(endpoint: Endpoint, document: Document, number_of: Callable[[Reference], str | None]) -> Document:
    """Return a document with the numbers that are known in its body; it keeps the references that are not."""
    numbers = {one: number for one in document.references if (number := number_of(one))}
    if not numbers:
        return document
    left = tuple(one for one in document.references if one not in numbers)
    body = json.loads(document.body, parse_float=Decimal)
    data = put(body, {**numbers, **{one: str(one) for one in left}})
    rendered = Rendered(data, write_json(data).encode(), canonical_fingerprint(data))
    known = _known_by(endpoint, document, rendered)
    return replace(document, references=left, body=rendered.body, **known)
