"""Derive `schemas/mapping.schema.json` from the endpoint table and the request schemas.

`python -m importer.mapping_schema` writes it; a test fails while it differs from what would be written. The layout (one
file, `allOf` of if/then over `endpoint`, options in definitions of their own without a description) is the one that
completes and explains best in the YAML language server and gives the clearest errors in Python.
"""

import json
import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Dictionary
from typing import Any, Final

from importer import resources
from importer.endpoints import Endpoint, table
from importer.fields import Field, Kind, fields_of

Node = dict[str, Any]

_SCALAR: Final = ["string", "number", "boolean"]
_TEXT: Final = ["string", "number"]
_SOURCES: Final[Node] = {
    "column": {"description": "The header of the column that holds the value.", "type": ["string", "number"]},
    "value": {"description": "The same value for every document.", "type": _SCALAR},
    "template": {
        "description": "Text with {{ row['Header'] }} or {{ param.name }} in it; {{ one }} alone keeps its type.",
        "type": "string",
    },
}
#: Only text fields take the number of another document.
_REFERENCE: Final[Node] = {
    "document": {
        "description": "The number of another document: the step, or the mapping of this project, that makes it.",
        "type": _TEXT,
    },
    "key": {"description": "The key of that document.", "$ref": "#/definitions/key field"},
    "earlier": {
        "description": "true: an earlier run may have made it, so that check does not insist on finding its row.",
        "type": "boolean",
    },
}
_COMMON: Final[Node] = {
    "required": {"description": "true: a blank cell is a problem.", "type": "boolean"},
    "default": {"description": "The value where the cell is blank.", "type": _SCALAR},
    "map": {
        "description": "A code list, what the cell holds: what is sent. A value that is not in it is a problem.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": _SCALAR},
    },
}
_BLANK: Final[Node] = {"description": "What a blank cell does: omit leaves the field out, error is a problem."}
_FORMAT: Final[Node] = {"description": "How text cells write dates, such as dd.mm.yyyy.", "type": "string"}
_ONLY: Final = "What the field is anyway."
_IF_CHANGED: Final[Node] = {
    "description": "What happens where somebody changed it since it was read: overwrite (default) or refuse.",
    "type": "string",
    "enum": ["overwrite", "refuse"],
}
_COMPARE: Final[Node] = {
    "description": "true: read it first and send only what differs; what is the same already is not sent.",
    "type": "boolean",
}
_ON_EXISTING: Final[Node] = {
    "description": "What becomes of a row whose customer exists: update (default: send what differs), skip or refuse.",
    "type": "string",
    "enum": ["update", "skip", "refuse"],
}
_ON_MISSING: Final[Node] = {
    "description": "What becomes of a row whose customer does not exist: create (default) or refuse.",
    "type": "string",
    "enum": ["create", "refuse"],
}
_KEY_OPTIONS: Final[Dictionary[str, Node]] = {
    "key": {
        "type": {
            "description": "Read the cell as this first.",
            "enum": ["text", "integer", "decimal", "date", "boolean"],
        },
        "format": _FORMAT,
        "pad": {
            "description": "Fill digits up with zeros to this length, for identifiers that Excel stripped of zeros.",
            "type": "integer",
            "minimum": 1,
            "maximum": 60,
        },
        "as": {"description": "displayed: take a number as Excel displays it (0000).", "enum": ["displayed"]},
        "pattern": {"description": "A regular expression that the whole value must match.", "type": _TEXT},
        "blank": {
            "description": "What a blank cell does: omit (leave the field out), clear (send an empty text) or error.",
            "enum": ["omit", "clear", "error"],
        },
    },
}
_OPTIONS: Final[Dictionary[str, Node]] = {
    **_KEY_OPTIONS,
    "text": {**_REFERENCE, **_KEY_OPTIONS["key"]},
    "integer": {"type": {"description": _ONLY, "enum": ["integer"]}, "blank": {**_BLANK, "enum": ["omit", "error"]}},
    "decimal": {
        "type": {"description": "integer: only whole numbers.", "enum": ["decimal", "integer"]},
        "decimals": {
            "description": "How many decimals there may be; more is a problem unless round is given.",
            "type": "integer",
            "minimum": 0,
            "maximum": 20,
        },
        "round": {"description": "Round to that many decimals in this way.", "enum": ["half_up", "half_even"]},
        "blank": {**_BLANK, "enum": ["omit", "error"]},
    },
    "boolean": {"type": {"description": _ONLY, "enum": ["boolean"]}, "blank": {**_BLANK, "enum": ["omit", "error"]}},
    "date": {
        "type": {"description": _ONLY, "enum": ["date"]},
        "format": _FORMAT,
        "blank": {**_BLANK, "enum": ["omit", "error"]},
    },
    "datetime": {
        "type": {"description": "date: a day without a time.", "enum": ["datetime", "date"]},
        "format": _FORMAT,
        "blank": {**_BLANK, "enum": ["omit", "error"]},
    },
    "period": {
        "format": {
            "description": "mmyyyy where the cell holds 012025, or how text cells write dates, such as dd.mm.yyyy; "
            "other spellings and dates need none.",
            "anyOf": [{"enum": ["mmyyyy", "yyyymm"]}, {"type": "string", "pattern": "[dD]"}],
        },
        "blank": {**_BLANK, "enum": ["omit", "error"]},
    },
}


def build() -> Node:
    """Return the schema of a mapping file as JSON data."""
    endpoints = table()
    definitions: Node = {}
    codes = {codes for name in endpoints for codes in _codes(fields_of(name))}
    for kind, options in {**_OPTIONS, **{_coded(each): _code_options(each) for each in sorted(codes)}}.items():
        definitions[f"{kind} field"] = {
            "type": ["string", "number", "object"],
            "allOf": [{"$ref": f"#/definitions/{kind} options"}],
        }
        definitions[f"{kind} options"] = _options(options)
    branches = []
    for name, endpoint in endpoints.items():
        branches.append(_branch(name, endpoint))
        definitions.update(_definitions(name, endpoint))
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "description": "A visma-import mapping: which column of a sheet feeds which field of an endpoint.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "endpoint", "key"],
        "properties": _properties(endpoints),
        "allOf": branches,
        "definitions": definitions,
    }


def _options(options: Node) -> Node:
    sources = [*_SOURCES, *(name for name in ("document",) if name in options)]
    message = f"Give exactly one of {', '.join(sources[:-1])} and {sources[-1]}."
    node: Node = {
        "additionalProperties": False,
        "properties": {**_SOURCES, **_COMMON, **options},
        "if": {"type": "object"},
        "then": {"oneOf": [{"required": [source], "errorMessage": message} for source in sources]},
    }
    if "document" in options:
        node["dependencies"] = {"document": ["key"], "key": ["document"], "earlier": ["document"]}
    return node


def _codes(members: Dictionary[str, Field]) -> Iterator[tuple[str, ...]]:
    for field in members.values():
        if field.enum:
            yield tuple(field.enum)
        yield from _codes(field.members or {})


def _coded(codes: Iterable[str]) -> str:
    return " or ".join(codes)


def _code_options(codes: Iterable[str]) -> Node:
    code = {"enum": list(codes)}
    return {
        **_KEY_OPTIONS["key"],
        "value": {"description": _SOURCES["value"]["description"], **code},
        "default": {"description": _COMMON["default"]["description"], **code},
        "map": {**_COMMON["map"], "additionalProperties": code},
    }


def _properties(endpoints: Dictionary[str, Endpoint]) -> Node:
    return {
        "version": {"description": "The version of the mapping language: 1.", "const": 1},
        "name": {
            "description": "The name of this mapping; default: the file's name.",
            "type": ["string", "number"],
        },
        "endpoint": {
            "description": "What each document becomes.",
            "type": "string",
            "enum": list(endpoints),
            "enumDescriptions": [endpoint.description for endpoint in endpoints.values()],
        },
        "api": {
            "description": "The version of the API's path; default v1.",
            "type": "string",
        },
        "workbook": _workbook(),
        "where": {
            "description": "Only rows for which this {{ expression }} is true are imported; the others are filtered.",
            "type": "string",
        },
        "parameters": _parameters(),
        "key": {
            "description": "What tells documents apart: rows with the same key form one document.",
            "$ref": "#/definitions/key field",
        },
        "fields": True,
        "lines": True,
        "totals": _totals(),
        "template": {
            "description": "A body template of your own, beside the mapping; default: the bundled one.",
            "type": "string",
        },
        "if_changed": True,
        "compare": True,
        "on_existing": True,
        "on_missing": True,
    }


def _workbook() -> Node:
    return {
        "description": "Where the rows are.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "file": {"description": "The workbook, relative to the mapping.", "type": _TEXT},
            "sheet": {
                "description": "The sheet's name; default: the only visible sheet.",
                "type": ["string", "number"],
            },
            "header_row": {
                "description": "The row with the headers; default 1.",
                "type": "integer",
                "minimum": 1,
            },
            "locale": {
                "description": "How text cells write numbers and dates, such as nb-NO; no default is guessed.",
                "type": "string",
            },
            "hidden_rows": {
                "description": "What hidden rows do: error (default), skip or include.",
                "type": "string",
                "enum": ["error", "skip", "include"],
            },
            "encoding": {
                "description": "The encoding of a .csv file, such as utf-8 or cp1252.",
                "type": _TEXT,
            },
            "delimiter": {"description": "The delimiter of a .csv file, such as ;", "type": "string"},
        },
    }


def _parameters() -> Node:
    return {
        "description": "Values given on the command line: --param name=value.",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["type"],
            "properties": {
                "type": {
                    "description": "What the value is.",
                    "type": "string",
                    "enum": ["text", "integer", "decimal", "boolean", "date"],
                },
                "required": {"description": "true: a run needs --param with this name.", "type": "boolean"},
                "default": {"description": "The value where the command line gives none.", "type": _SCALAR},
                "description": {"description": "What it is for, in your own words.", "type": _TEXT},
            },
        },
    }


def _totals() -> Node:
    return {
        "description": "Control totals over columns, checked before anything is sent.",
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["sum"],
            "properties": {
                "name": {"description": "What the report calls it.", "type": ["string", "number"]},
                "sum": {"description": "The header of the column to add up.", "type": ["string", "number"]},
                "expect": {
                    "description": "The sum that must come out, a number or {{ param.name }}; else the run is held.",
                    "type": ["string", "number"],
                },
            },
        },
    }


def _branch(name: str, endpoint: Endpoint) -> Node:
    then: Node = {"fields": {"$ref": f"#/definitions/{name} fields"}}
    then["lines"] = {"$ref": f"#/definitions/{name} lines"} if endpoint.lines else False
    update = endpoint.kind == "update"
    then["if_changed"] = _IF_CHANGED if update and endpoint.if_match else False
    then["compare"] = _COMPARE if update else False
    then["on_existing"] = _ON_EXISTING if endpoint.kind == "upsert" else False
    then["on_missing"] = _ON_MISSING if endpoint.kind == "upsert" else False
    then["api"] = {"enum": list(endpoint.versions)}
    # a pattern, since completion takes a const for met by any text that it begins with, as customer.create is by
    # customer.createDunningLetter
    condition = {"type": "string", "pattern": f"^{re.escape(name)}$"}
    return {"if": {"required": ["endpoint"], "properties": {"endpoint": condition}}, "then": {"properties": then}}


def _definitions(name: str, endpoint: Endpoint) -> Node:
    members = dict(fields_of(name))
    lines = members.pop(endpoint.lines) if endpoint.lines else None
    fields = _group(members, "Fields of the document: one value per document, so its rows must agree.")
    if endpoint.period:
        fields["properties"] = {"period": _period(), **fields["properties"]}
    definitions = {f"{name} fields": fields}
    if lines is not None:
        definitions[f"{name} lines"] = _group(lines.members or {}, "Lines of the document: one line per row.")
    return definitions


def _period() -> Node:
    return {
        "description": "The financial period, written into postPeriod (MMYYYY) and financialPeriod (YYYYMM) alike.",
        "$ref": "#/definitions/period field",
    }


def _group(members: Dictionary[str, Field], description: str) -> Node:
    node: Node = {"description": description} if description else {}
    node |= {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _field(field) for name, field in members.items()},
    }
    return node


def _field(field: Field) -> Node:
    if field.members is not None:
        group = _group(field.members, "" if field.many else field.description)
        if not field.many:
            return group
        return {"description": field.description, "type": "array", "minItems": 1, "items": group}
    kind = Kind.TEXT if field.kind is Kind.UUID else field.kind
    description = field.description
    if field.enum:
        description = f"{description} One of: {', '.join(field.enum)}."
    return {"description": description.strip(), "$ref": f"#/definitions/{_coded(field.enum) or kind} field"}


def written() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(build(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    (resources.schemas() / "mapping.schema.json").write_text(written(), encoding="utf-8")
