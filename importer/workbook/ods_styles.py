"""Read the number formats and hidden sheets that an .ods workbook declares in its styles, written as Excel does."""

from collections.abc import Iterable
from typing import Any, Final

_FAMILIES: Final = {"number-style", "currency-style", "percentage-style", "date-style", "time-style", "text-style"}
#: Namespace in which LibreOffice repeats the type of a value, with a word of its own for errors.
EXTENSION: Final = "{urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0}"
#: Parts of a date or time, each short and long.
_MOMENTS: Final = {
    "day": ("d", "dd"),
    "day-of-week": ("ddd", "dddd"),
    "year": ("yy", "yyyy"),
    "hours": ("h", "hh"),
    "minutes": ("m", "mm"),
    "seconds": ("s", "ss"),
}
_WORDS: Final = {"fraction": "# ?/?", "am-pm": "AM/PM", "text-content": "@"}
_PLAIN_LITERALS: Final = frozenset(" -/.:,()+%")
_MAX_DIGITS: Final = 30
_MAX_PARENTS: Final = 20


def local(name: object) -> str:
    """Return a name of an element or attribute without its namespace."""
    return str(name).rpartition("}")[2]


def attributes(node: Any) -> dict[str, str]:
    """Return the attributes of an element by their names without namespaces, those of LibreOffice alone left out."""
    return {local(name): str(value) for name, value in node.attrib.items() if not name.startswith(EXTENSION)}


class Styles:
    """Hold what the styles of a workbook say of the cells and sheets that use them."""

    def __init__(self) -> None:
        self._formats: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._data: dict[str, str] = {}
        self._hidden: set[str] = set()

    def add(self, node: Any) -> None:
        """Take in a style that stands below `office:styles` or `office:automatic-styles`."""
        tag, given = local(node.tag), attributes(node)
        name = given.get("name", "")
        if tag in _FAMILIES:
            self._formats[name] = self._format(tag, given, node)
        elif tag == "style" and given.get("family") == "table-cell":
            self._parents[name] = given.get("parent-style-name", "")
            if "data-style-name" in given:
                self._data[name] = given["data-style-name"]
        elif tag == "style" and any(attributes(part).get("display") == "false" for part in node):
            self._hidden.add(name)

    def hides(self, style: str) -> bool:
        """Tell whether a style of sheets hides them."""
        return style in self._hidden

    def form(self, style: str) -> str | None:
        """Return the number format of a style of cells, its own or the one that it inherits; None for General."""
        for _turn in range(_MAX_PARENTS):
            if style in self._data:
                return self._formats.get(self._data[style]) or None
            if style not in self._parents:
                return None
            style = self._parents[style]
        return None

    def _format(self, tag: str, given: dict[str, str], node: Any) -> str:
        if tag == "text-style":
            return "@"
        if _is_general(node):
            return ""
        own = "".join(_part(part, attributes(part), given) for part in node)
        applied = [
            self._formats.get(attributes(part).get("apply-style-name", ""), "") for part in node if _is_map(part)
        ]
        # Excel writes the format of other signs behind the first
        return ";".join([*filter(None, applied), own]) if any(applied) else own


def _is_general(node: Any) -> bool:
    """Tell whether a style is a number alone with as many decimals as there are: General, in the words of Excel."""
    if len(node) != 1 or local(node[0].tag) != "number":
        return False
    given = attributes(node[0])
    return given.keys() <= {"min-integer-digits"} and _count(given, "min-integer-digits", 0) <= 1


def _is_map(part: Any) -> bool:
    return local(part.tag) == "map"


def _part(part: Any, given: dict[str, str], style: dict[str, str]) -> str:
    tag, long = local(part.tag), given.get("style") == "long"
    if tag == "number":
        return _digits(given)
    if tag == "scientific-number":
        return _digits(given) + "E+" + "0" * _count(given, "min-exponent-digits", 2)
    if tag in _WORDS:
        return _WORDS[tag]
    if tag == "month":
        if given.get("textual") == "true":
            return "mmmm" if long else "mmm"
        return "mm" if long else "m"
    if tag == "hours" and style.get("truncate-on-overflow") == "false":
        return "[h]"
    if tag in _MOMENTS:
        return _MOMENTS[tag][long] + ("." + "0" * _count(given, "decimal-places", 0)).rstrip(".")
    if tag in {"text", "currency-symbol", "fill-character"}:
        return _literal("".join(_texts(part)))
    return ""


def _digits(given: dict[str, str]) -> str:
    if "min-integer-digits" not in given and "decimal-places" not in given:
        return "General"
    whole = "0" * _count(given, "min-integer-digits", 0)
    if given.get("grouping") == "true":
        whole = "#,##" + (whole or "#")
    decimals = "0" * _count(given, "decimal-places", 0)
    return (whole or "#") + ("." + decimals if decimals else "")


def _count(given: dict[str, str], name: str, otherwise: int) -> int:
    text = given.get(name, "")
    return min(int(text), _MAX_DIGITS) if text.isdigit() else otherwise


def _texts(part: Any) -> Iterable[str]:
    return (str(text) for text in part.itertext())


def _literal(text: str) -> str:
    if not text or set(text) <= _PLAIN_LITERALS:
        return text
    return '"' + text.replace('"', "") + '"'
