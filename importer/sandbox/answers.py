"""Build what goes back: empty answers, JSON, and the two shapes that errors have."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from importer.sandbox import jsontext
from importer.sandbox.catalog import Resource

CUT_STATUS = 0


@dataclass(frozen=True, slots=True)
class Call:
    """Hold one request as it came in; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold one answer; the status `CUT_STATUS` means that the connection is closed without one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def plus(self, headers: Mapping[str, str]) -> "Answer":
        """Return the same answer with further headers."""
        return Answer(self.status, {**self.headers, **headers}, self.body)


class Refusal(Exception):  # noqa: N818 - it ends a request, not the program
    """Carry an answer that ends the request."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def as_json(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON, every digit kept."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(status, {**kind, **(headers or {})}, jsontext.write(content).encode("ascii"))


def message(status: int, text: str) -> Answer:
    """Answer with an error of shape A, `{"message": ...}`."""
    return as_json(status, {"message": text})


def gateway_error(status: int, text: str, fault_code: str) -> Answer:
    """Answer with an error of shape B, as the old front gives it."""
    return as_json(
        status,
        {
            "ExceptionType": "IPPException",
            "ExceptionMessage": text,
            "ExceptionFaultCode": fault_code,
            "ExceptionMessageID": f"{fault_code}_{uuid.uuid4()}",
            "ExceptionDetails": "",
        },
    )


def rejection(resource: Resource, method: str, errors: Sequence[str]) -> Answer:
    """Answer 400 with the errors of the business: one in a sentence, several as lines."""
    opening = f"VismaId: {uuid.uuid4()}. {resource.failure[method]} Error: "
    if len(errors) == 1 and not resource.lists_errors:
        return message(400, opening + errors[0])
    verb = "Inserting" if method == "POST" else "Updating"
    review = f"{verb} '{resource.record}' record raised at least one error. Please review the errors.\r\n"
    return message(400, opening + review + "".join(f"Error: {error}\r\n" for error in errors))


def number_taken(resource: Resource) -> Answer:
    """Answer 400 for a number that another document has."""
    text = f"Another process has added the '{resource.record}' record. Your changes will be lost."
    return message(400, f"VismaId: {uuid.uuid4()}. {resource.failure['POST']} Error: {text}")


def not_found(resource: Resource, number: str) -> Answer:
    """Answer 404 for a number that nothing has."""
    return message(404, f"{resource.record} '{number}' cannot be found in the system.")


def location(origin: str, prefix: str, resource: Resource, number: str) -> str:
    """Return the address of a document, as a create answers it."""
    return f"{origin}{prefix}/v1/{resource.path}/{quote(number, safe='')}"


def etag(stamp: str) -> dict[str, str]:
    """Return the ETag header of a version."""
    return {"ETag": f'"{stamp}"'}
