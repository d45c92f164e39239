"""Check a YAML file against a JSON Schema and say what is wrong in the words of the file.

The file's scalars are text (yamlfile.py); the schema's `integer`, `number`, `boolean` and `null` take a scalar that was
typed without quotes and reads as one.
"""

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, TypeChecker, ValidationError
from jsonschema.validators import extend

from importer.yamlfile import FileFault, PlainText, YamlFile, YamlPath, did_you_mean

_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_BOOLEAN = re.compile("true|True|TRUE|false|False|FALSE")
_NULL = re.compile("|~|null")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_ARTICLES = {
    "object": "a group of 'name: value' lines",
    "array": "a list ('- ' lines)",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number with a decimal point",
    "boolean": "true or false",
    "null": "nothing",
}
_BLANK = "Write one, or delete the line."


#: From the group, an unknown name in it and the nearest names there to what to do.
Advice = Callable[[YamlPath, str, str], str]


def as_boolean(text: object) -> bool | None:
    """Return what a plain `true` or `false` means, else None."""
    return _BOOLEANS.get(text) if isinstance(text, PlainText) else None


def as_integer(text: object) -> int | None:
    """Return what a plain whole number means, with a sign or without, else None."""
    return int(text) if isinstance(text, PlainText) and _INTEGER.fullmatch(text) else None


def _typed(value: object, like: object) -> object:
    """Return a plain scalar as the type of `like`, where it reads as one."""
    if isinstance(value, PlainText):
        if isinstance(like, bool):
            return _BOOLEANS.get(value, value)
        if isinstance(like, int | float) and _NUMBER.fullmatch(value):
            return Decimal(value)
    return value


def _plain(pattern: re.Pattern[str]) -> Any:
    return lambda _checker, value: isinstance(value, PlainText) and pattern.fullmatch(value) is not None


def _is(kind: type) -> Any:
    return lambda _checker, value: isinstance(value, kind) and not _is_nothing(value)


def _is_nothing(value: object) -> bool:
    """Tell whether nothing was typed; an empty text is typed with quotes."""
    return isinstance(value, PlainText) and value == ""


def _const(_validator: Any, const: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if _typed(instance, const) != const:
        yield ValidationError(f"{instance!r} was expected to be {const!r}")


def _bound(sign: int) -> Any:
    def check(_validator: Any, bound: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
        value = _typed(instance, bound)
        if isinstance(value, Decimal) and sign * value > sign * bound:
            yield ValidationError(f"{instance} is out of bounds")

    return check


@cache
def validator_class() -> Any:
    """Return a draft-07 validator that reads this program's text scalars."""
    checker = TypeChecker(
        {
            "object": _is(dict),
            "array": _is(list),
            "string": _is(str),
            "integer": _plain(_INTEGER),
            "number": _plain(_NUMBER),
            "boolean": _plain(_BOOLEAN),
            "null": _plain(_NULL),
        }
    )
    words = {"const": _const, "minimum": _bound(-1), "maximum": _bound(1)}
    return extend(Draft7Validator, validators=words, type_checker=checker)  # type: ignore[no-untyped-call]


@cache
def load_schema(path: Path) -> Any:
    """Return a schema file as parsed JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def _near(_group: YamlPath, _name: str, near: str) -> str:
    return near


def check(file: YamlFile, schema: Any, advice: Advice = _near) -> list[FileFault]:
    """Return everything in the file that the schema does not allow, in the file's order.

    `advice` may know more of an unknown name than the nearest names of its group.
    """
    faults: dict[tuple[Any, str], FileFault] = {}
    for error in validator_class()(schema).iter_errors(file.data):
        for path, on_key, message, hint in _words(error, file.data, advice):
            fault = file.fault(path, message, hint=hint, on_key=on_key)
            faults.setdefault((fault.mark, fault.message), fault)
    return sorted(faults.values(), key=lambda fault: (fault.mark.line, fault.mark.column) if fault.mark else (0, 0))


Wording = tuple[YamlPath, bool, str, str]


def _words(error: ValidationError, data: Any, advice: Advice) -> list[Wording]:
    path: YamlPath = tuple(error.absolute_path)
    word: Any = error.validator
    value: Any = error.instance
    schema: Any = error.schema
    if word == "additionalProperties":
        return [_unknown_key(path, key, value[key], schema, advice) for key in value if _extra(key, schema)]
    if word == "required":
        wanted: Any = error.validator_value
        missing = [key for key in wanted if key not in value]
        where = f" in {_place(path)}" if path else ""
        return [(path, True, f"{key!r} is missing{where}.", _description(schema, key)) for key in missing]
    if word is None:
        # a schema that is false says no path: the value itself tells where it stands
        path = path or next(((key,) for key, part in data.items() if part is value), ())
        if not path:
            return []
        return [(path, True, f"{str(path[-1])!r} has no use with this endpoint.", "Delete it.")]
    if word == "anyOf":
        branches: dict[Any, list[ValidationError]] = {}
        for part in error.context or ():
            branches.setdefault(part.schema_path[0], []).append(part)
        meant = [parts for parts in branches.values() if all(part.validator != "type" or part.path for part in parts)]
        if len(meant) == 1:
            return [words for part in meant[0] for words in _words(part, data, advice)]
    message, hint = _value_words(word, error)
    return [(path, False, message, hint)]


def _extra(key: str, schema: Any) -> bool:
    return key not in schema.get("properties", {})


def _unknown_key(path: YamlPath, key: str, value: object, schema: Any, advice: Advice) -> Wording:
    where = f"in {_place(path)}" if path else "at the top of the file"
    hint = advice(path, key, did_you_mean(key, list(schema.get("properties", {}))))
    if value == "" and not hint.startswith("Did you mean"):
        # as in {value: 1,05}
        hint = f"Within {{ }} a comma begins a new entry: put a value that holds one in quotes. {hint}".rstrip()
    return (*path, key), True, f"{key!r} is not known {where}.", hint


def _value_words(word: object, error: ValidationError) -> tuple[str, str]:
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    shown = repr(str(value)) if isinstance(value, str) else _ARTICLES["array" if isinstance(value, list) else "object"]
    place = _place(tuple(error.absolute_path)) if error.absolute_path else "The file"
    if word == "type":
        kinds = [wanted] if isinstance(wanted, str) else list(wanted)
        if _is_nothing(value) and "string" in kinds:
            # a field's value, not a name or a word of the language
            return f"{place} has no value.", f'{_BLANK} "" is an empty text.' if "boolean" in kinds else _BLANK
        expected = " or ".join(dict.fromkeys(_ARTICLES[kind] for kind in kinds))
        found = "nothing" if _is_nothing(value) else shown
        return f"{place} must be {expected}; found {found}.", ""
    if word in {"enum", "anyOf"} and _is_nothing(value):
        return f"{place} has no value.", _BLANK
    if word == "enum":
        return f"{place}: {shown} is not one of the allowed values.", did_you_mean(str(value), [str(v) for v in wanted])
    if word == "const":
        return f"{place} must be {wanted}; found {'nothing' if _is_nothing(value) else shown}.", ""
    if word in {"minimum", "maximum"}:
        return (
            f"{place}: {value} is not allowed; {'at least' if word == 'minimum' else 'at most'} {wanted}.",
            "",
        )
    if word in {"pattern", "anyOf"}:
        return f"{place}: {shown} is not allowed here.", schema.get("description", "")
    return _group_words(word, error, place)


def _group_words(word: object, error: ValidationError, place: str) -> tuple[str, str]:
    """Say what is wrong with how many names or entries stand together."""
    value: Any = error.instance
    wanted: Any = error.validator_value
    if word == "oneOf":
        return f"{place} needs exactly one of {_choice(wanted)}.", ""
    if word == "dependencies":
        missing = ((name, other) for name in wanted if name in value for other in wanted[name] if other not in value)
        name, other = next(missing)
        return f"{place}: {name!r} does nothing without {other!r}.", _description(error.schema, other)
    if word == "maxProperties":
        return f"{place} holds {' and '.join(map(repr, value))}.", f"Keep {wanted} of them."
    if word in {"minItems", "minProperties", "minLength"}:
        return f"{place} is empty.", ""
    return f"{place} is not allowed: {error.message}.", ""


def _choice(options: list[Any]) -> str:
    """Name the keys of which an object needs one, such as `'column', 'value' and 'template'`."""
    *names, last = [repr(option["required"][0]) for option in options]
    return f"{', '.join(names)} and {last}"


def _place(path: YamlPath) -> str:
    text = ""
    for step in path:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return f"{text!r}" if text else "the file"


def _description(schema: Any, key: str) -> str:
    text = schema.get("properties", {}).get(key, True)
    return str(text.get("description", "")) if isinstance(text, dict) else ""
