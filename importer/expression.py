"""Jinja for the mapping's own templates: `where`, `key`, a field's `template`, and what a total expects.

They see `row['Header']` and `param.name` and nothing else, in a sandbox. Numbers are Decimal throughout: a literal such
as 1.25 is read as the decimal it spells.
"""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, DecimalException, DivisionUndefined
from functools import cache, partial
from itertools import zip_longest
from typing import Any, Final

from jinja2 import (
    Environment,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    Undefined,
    UndefinedError,
    nodes,
)
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from importer.cells import (
    CellError,
    CellText,
    SaysNo,
    asked_in,
    like_a_number,
    names_in,
    says_no,
    shown_number,
    to_decimal,
    to_whole,
)
from importer.locales import Locale
from importer.model import CellValue, Fault
from importer.values import clean, exact, written

_MAX_TEXT: Final = 65_536
_MAX_POWER: Final = 64
#: What a template may raise while it runs, beside Jinja's own errors.
RUNTIME_ERRORS: Final = (
    CellError,
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    DecimalException,
    LookupError,
    AttributeError,
    RecursionError,
)


class Blank(StrictUndefined):
    """Stand for a blank cell or an absent parameter: false, equal to empty text, and an error when it is used."""

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return other == "" or isinstance(other, Blank)

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = StrictUndefined.__hash__  # type: ignore[assignment]


class _Decimals(Extension):
    """Read the float literals of a template as decimals."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Replace `1.25` by a call of `decimal('1.25')`."""
        for token in stream:
            if token.type == "float":
                line = token.lineno
                yield Token(line, "name", "decimal")
                yield Token(line, "lparen", "(")
                yield Token(line, "string", str(token.value))
                yield Token(line, "rparen", ")")
            else:
                yield token


class SafeEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox whose operators cannot be used to exhaust the machine."""

    intercepted_binops = frozenset(["*", "**", "%", "/"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Run `*`, `**` and `%` within bounds, and divide whole numbers without binary noise.

        Raises: SecurityError when the result would be enormous, UndefinedError where a text would be repeated.
        """
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(one, str):
                    raise UndefinedError(f"{str(one)!r} is text, which cannot be multiplied; say |decimal behind it")
                if isinstance(one, list | tuple) and isinstance(other, int) and len(one) * other > _MAX_TEXT:
                    raise SecurityError("the list would become too long")
        if operator == "**" and isinstance(right, int | Decimal) and abs(Decimal(right)) > _MAX_POWER:
            raise SecurityError("the power is too large")
        if operator == "%" and isinstance(left, str):
            raise SecurityError("text formatting with % is not available; write {{ }} instead")
        if operator == "/" and isinstance(left, int) and isinstance(right, int):
            return Decimal(left) / Decimal(right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as the base class has it
        """Call a function or method within bounds.

        Raises: SecurityError when the result would be enormous.
        """
        owner, name = getattr(__obj, "__self__", None), getattr(__obj, "__name__", "")
        if isinstance(owner, str):
            if any(isinstance(arg, int) and arg > _MAX_TEXT for arg in args):
                raise SecurityError("the text would become too long")
            if name == "replace":
                return _replace(owner, *args, **kwargs)
        return super().call(__context, __obj, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a member by name: of our dictionaries always the value, never a method such as `items`."""
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, str) and attribute in {"format", "format_map"}:
            return self.unsafe_undefined(obj, attribute)
        return super().getattr(obj, attribute)


class _NumberEnvironment(SafeEnvironment):
    """The sandbox of a template that gives a number, in which + is for numbers."""

    intercepted_binops = SafeEnvironment.intercepted_binops | {"+"}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse to put two numbers side by side that are text.

        Raises: UndefinedError.
        """
        texts = isinstance(left, str) and isinstance(right, str)
        if operator == "+" and texts and like_a_number(left) and like_a_number(right):
            raise UndefinedError(
                f"{str(left)!r} and {str(right)!r} are text, which + puts side by side; say |decimal behind each to "
                "add them, or ~ between them to join them"
            )
        return super().call_binop(context, operator, left, right)


def restrict(environment: Environment, where: Locale | None) -> None:
    """Take away what no template of a mapping needs and what could exhaust the machine, and give it decimals.

    `where` is how texts of the workbook write numbers.
    """
    for name in ("lipsum", "cycler", "joiner", "namespace", "dict"):
        environment.globals.pop(name, None)
    for name in ("pprint", "random", "center", "format", "urlize", "xmlattr", "filesizeformat"):
        environment.filters.pop(name, None)
    for name in ("indent", "wordwrap"):
        environment.filters[name] = _unavailable
    environment.globals["decimal"] = partial(_decimal, where)
    environment.filters["decimal"] = environment.filters["float"] = partial(to_decimal, where)
    environment.filters["int"] = partial(to_whole, where)
    environment.filters["replace"] = _replace


def _unavailable(*_args: Any, **_kwargs: Any) -> str:
    raise SecurityError("this filter is not available here")


def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    """Replace parts of a text, unless the result would be enormous."""
    text, old, new = str(value), str(old), str(new)
    times = text.count(old) if old else len(text) + 1
    if len(text) + times * len(new) > _MAX_TEXT:
        raise SecurityError("the text would become too long")
    return text.replace(old, new, -1 if count is None else count)


def _decimal(where: Locale | None, value: Any) -> Decimal:
    """Return a number as a template spells it, or as a cell does."""
    return to_decimal(where, value) if isinstance(value, CellText) else Decimal(value)


@cache
def _environment(where: Locale | None, *, number: bool) -> Environment:
    kind = _NumberEnvironment if number else SafeEnvironment
    environment = kind(undefined=StrictUndefined, finalize=_as_text, extensions=[_Decimals])
    restrict(environment, where)
    return environment


def _as_text(value: Any) -> Any:
    if value is None:
        raise UndefinedError("the expression gives nothing")
    if isinstance(value, Decimal | date | bool):
        return written(value)
    return value


class _RowView(dict[Any, Any]):
    """Give a template the cells of one row by header; an unknown header is an error, and so is a faulty cell."""

    __slots__ = ("blank_is_text", "number")
    blank_is_text: bool
    #: the number of the row, where it is known
    number: int | None

    def __getitem__(self, header: Any) -> Any:
        name = header if header in self else str(header)
        if name not in self:
            raise UndefinedError(f"the sheet has no column {header!r}")
        value = super().__getitem__(name)
        if value is None:
            return CellText("", name) if self.blank_is_text else Blank(hint=f"the cell {name!r} is blank")
        if type(value) is str:
            return CellText(value, name, self.number)
        if isinstance(value, Fault):
            # told at once: what is asked of a cell, such as whether there is one, must not hide what is wrong with it
            raise CellError(replace(value, column=name), self.number)
        return value

    def items(self) -> Any:
        return [(header, self[header]) for header in self]


@dataclass(frozen=True, slots=True)
class Expression:
    """Hold one compiled template of a mapping."""

    source: str
    #: headers it names as row['Header'] or row.Header
    headers: frozenset[str]
    #: parameters it names as param.name
    params: frozenset[str]
    #: names it uses that nothing has
    unknown: frozenset[str]
    #: True where the whole is one {{ expression }}, whose value keeps its type
    typed: bool
    _run: TemplateExpression | Template
    #: headers of cells that by themselves are a condition, as in `row['Send'] and ...`
    asked: frozenset[str] = frozenset()

    def evaluate(self, row: Dictionary[str, Any], param: Dictionary[str, Any]) -> CellValue | Fault:
        """Return the value for one row (made by `row_view`), or the fault that names what went wrong."""
        try:
            value = (
                self._run(row=row, param=param)
                if isinstance(self._run, TemplateExpression)
                else self._run.render(row=row, param=param)
            )
            if isinstance(value, Undefined):
                str(value)
        except CellError as error:
            return error.fault
        except RUNTIME_ERRORS as error:
            return Fault(
                "template",
                "",
                f"The template {self.source!r} failed here: {reason_of(error)}. Correct the cell or the template.",
            )
        return _cell(value, self.source)

    def misread(self, row: Dictionary[str, Any], param: Dictionary[str, Any], value: object) -> str | None:
        """Return the header of a cell that says no and was taken for a yes, so that `value` came out; None without one.

        To Jinja any text that is not blank is true.
        """
        cells: Any = row
        for header in sorted(self.asked & set(cells)):
            cell = dict.get(cells, header)
            if type(cell) is not str or cell == value or not says_no(cell):
                continue
            cells[header] = SaysNo(cell, header, cells.number)
            other = self.evaluate(row, param)
            cells[header] = cell
            if isinstance(value, bool):
                # the text itself came out, which says no
                other = bool(other) and other != cell
            if other != value:
                return header
        return None


def row_view(
    headers: tuple[str | None, ...],
    cells: tuple[CellValue, ...],
    *,
    blank_is_text: bool,
    number: int | None = None,
    formats: Dictionary[int, str] | None = None,
) -> Dictionary[str, Any]:
    """Return a row as templates see it: a blank is empty text in `where`, else an error when it is used.

    `number` is the row's, `formats` are the number formats of its cells by position.
    """
    view = _RowView(zip_longest(headers, cells[: len(headers)]))
    view.pop(None, None)  # columns without a header
    view.blank_is_text, view.number = blank_is_text, number
    for spot, form in (formats or {}).items():
        header, cell = headers[spot], cells[spot]
        if header is not None and isinstance(cell, Decimal):
            view[header] = shown_number(cell, form, header, number)
    return view


def param_view(values: Dictionary[str, Any]) -> Dictionary[str, Any]:
    """Return the parameters as templates see them; one without a value is an error when it is used."""
    return {
        name: Blank(hint=f"the parameter {name!r} has no value") if value is None else value
        for name, value in values.items()
    }


def compile_expression(source: str, where: Locale | None = None, *, number: bool = False) -> Expression:
    """Compile a template of the mapping.

    `where` is how texts of the workbook write numbers; `number` is true where the template is to give one.

    Raises: ValueError with the reason when it is not Jinja.
    """
    environment = _environment(where, number=number)
    try:
        tree = environment.parse(source)
        inner = _single(environment.parse(source.strip()), source.strip())
        run = (
            environment.compile_expression(inner, undefined_to_none=False) if inner else environment.from_string(source)
        )
        unknown = find_undeclared_variables(tree) - {"row", "param", *environment.globals}
    except TemplateSyntaxError as error:
        reason = (error.message or "unexpected end").rstrip(".")
        raise ValueError(f"The template {source!r} is not valid: {reason}.") from None
    except (RecursionError, TypeError, AssertionError) as error:
        raise ValueError(f"The template {source!r} cannot be used: {error}.") from None
    headers, params = names_in(tree)
    return Expression(source, headers, params, frozenset(unknown), inner is not None, run, asked_in(tree))


def _single(tree: nodes.Template, source: str) -> str | None:
    """Return the expression where the whole template is one `{{ expression }}`, else None."""
    if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) and len(tree.body[0].nodes) == 1:
        match = re.fullmatch(r"\s*\{\{[-+]?(.*?)[-+]?\}\}\s*", source, re.DOTALL)
        if match and not isinstance(tree.body[0].nodes[0], nodes.TemplateData):
            return match[1].strip()
    return None


def reason_of(error: BaseException) -> str:
    """Return the first line of what a template raised, in words that fit into a sentence."""
    if isinstance(error, DecimalException):
        # what it tells of itself are names of classes
        by_zero = isinstance(error, ZeroDivisionError) or DivisionUndefined in next(iter(error.args), ())
        return "it divides by zero" if by_zero else "it reckons with what is no number"
    text = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
    if text.startswith("no loader"):
        return "it takes in another file, which only a template of bodies can"
    return text.replace("dict object", "it")


def _cell(value: Any, source: str) -> CellValue | Fault:
    if isinstance(value, bool | str | Decimal | date):
        if isinstance(value, str):
            if len(value) > _MAX_TEXT:
                return Fault("template", "", f"The template {source!r} gives a text of {len(value):,} characters.")
            return clean(value)
        if isinstance(value, Decimal) and not (value.is_finite() and abs(value.adjusted()) < _MAX_POWER):
            return Fault("template", str(value), f"The template {source!r} gives {value}, which is no amount.")
        return Decimal(value) if isinstance(value, Decimal) else value
    if isinstance(value, int):
        return Decimal(value)
    if value is None:
        return Fault("template", "", f"The template {source!r} gives nothing.")
    if isinstance(value, float):
        return exact(value)
    kind = "whole row" if isinstance(value, dict) else "list" if isinstance(value, list | tuple) else "thing of its own"
    return Fault("template", "", f"The template {source!r} gives a {kind}, not a text, number or date.")
