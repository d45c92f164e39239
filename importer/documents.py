"""Make a document of a rendered body, and fill in the numbers of other documents that it lacks. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from importer.endpoints import Endpoint
from importer.expect import expectation, text_of
from importer.jsontext import canonical_fingerprint, write_json
from importer.model import Document, Reference
from importer.template import Rendered

#: What a number that is not known yet begins with, and never a number in Visma.
_MARK: Final = Reference("", "")[0]


def of_body(endpoint: Endpoint, document: Document, rendered: Rendered, *, sent: bool = True) -> Document:
    """Return a document with this body; `sent` is false where the request has none."""
    data, fingerprint = rendered.data, rendered.fingerprint
    inserts = b'"operation": "Insert"' in rendered.body
    by_content = endpoint.kind == "action" or (endpoint.repeatable and inserts)
    return replace(
        document,
        endpoint=endpoint.creates.name,
        body=rendered.body if sent else b"",
        fingerprint=fingerprint,
        identity=f"{document.key}\n{fingerprint}" if by_content else str(document.key),
        repeatable=endpoint.repeatable and not inserts,
        expect=expectation(endpoint, data).dump(),
        customer=text_of(data, endpoint.customer_field),
        number=text_of(data, endpoint.number_field),
    )


def open_references(data: Any, found: Iterable[Reference]) -> tuple[tuple[Reference, ...], bool]:
    """Return which references stand in a body, and whether one was changed so that it cannot be filled in."""
    texts = [text for text in _texts(data) if _MARK in text]
    wanted = tuple(dict.fromkeys(found))
    standing = tuple(one for one in wanted if any(one in text for text in texts))
    return standing, standing != wanted and any(_MARK in _without(text, standing) for text in texts)


def _without(text: str, references: Iterable[Reference]) -> str:
    for reference in references:
        text = text.replace(reference, "")
    return text


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

    def put(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: put(inner) for name, inner in node.items()}
        if isinstance(node, list):
            return [put(inner) for inner in node]
        if isinstance(node, str):
            for reference, number in numbers.items():
                node = node.replace(reference, number)
        return node

    data = put(json.loads(document.body, parse_float=Decimal))
    left = tuple(one for one in document.references if one not in numbers)
    rendered = Rendered(data, write_json(data).encode(), canonical_fingerprint(data))
    return of_body(endpoint, replace(document, references=left), rendered)
