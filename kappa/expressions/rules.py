"""What an expression's function compiles to: one `Rule` each, in one table.

A template is Python text in which `{0}`, `{1}` stand for the operands and `{f}` for a
helper function. A rule is null if any operand is; a new function is a new entry here and
the method in `tree`, `text` or `moments` that makes the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kappa.expressions import clockwork, words

Gives = Literal["any", "bool", "same", "number", "quotient", "int", "float", "cast"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one function is written, shown, and typed.

    Args:
        name: its own name, unique.
        template: Python text for non-null operands.
        show: how it appears in `repr`, with the operands' own texts filled in.
        gives: what is known of the result: "bool" is always a bool, "number" is int if
            all operands are int and float if one is float, "quotient" is always float of
            numbers, "same" has the type of the operand, "int" and "float" are exact.
        nullable: non-null operands may give null.
        function: bound as `{f}`.
        of_ints: a faster template for an operand known to be int.
    """

    name: str
    template: str
    show: str
    gives: Gives = "any"
    nullable: bool = False
    function: Callable[..., Any] | None = None
    of_ints: str | None = None


def _infix(name: str, sign: str, gives: Gives) -> Rule:
    return Rule(name, f"({{0}} {sign} {{1}})", f"({{0}} {sign} {{1}})", gives)


def _method(
    name: str, arguments: int, *, namespace: str = "", gives: Gives = "any", **more: Any
) -> Rule:
    """A rule shown as a method call: col('a').str.lower()."""
    inside = ", ".join(f"{{{n}}}" for n in range(1, arguments + 1))
    template = more.pop("template", f"{{f}}({', '.join(f'{{{n}}}' for n in range(arguments + 1))})")
    short = name.split("_", 1)[1] if namespace else name
    show = f"{{0}}.{namespace + '.' if namespace else ''}{short}({inside})"
    return Rule(name, template, show, gives, **more)


def _str(name: str, arguments: int = 0, **more: Any) -> Rule:
    return _method(f"str_{name}", arguments, namespace="str", **more)


def _dt(
    name: str,
    function: Callable[..., Any],
    arguments: int = 0,
    *,
    gives: Gives = "any",
    of_ints: str | None = None,
    method: str = "",
) -> list[Rule]:
    """A rule in UTC, and one in a zone that is the last operand; `method` is what it shows."""
    given = [f"{{{n}}}" for n in range(1, arguments + 1)]
    zone = f"{{{arguments + 1}}}"
    utc = f"{{f}}({', '.join(['{0}', *given])})"
    local = f"{{f}}({', '.join(['{0}', *given, zone])})"
    shown = f"{{0}}.dt.{method or name}({', '.join(given)})"
    shown_local = f"{{0}}.dt.{method or name}({', '.join([*given, f'zone={zone}'])})"
    return [
        Rule(f"dt_{name}", utc, shown, gives, function=function, of_ints=of_ints),
        Rule(f"dt_{name}_in", local, shown_local, gives, function=function),
    ]


_RULES = [
    _infix("add", "+", "number"),
    _infix("sub", "-", "number"),
    _infix("mul", "*", "number"),
    _infix("truediv", "/", "quotient"),
    _infix("floordiv", "//", "number"),
    _infix("mod", "%", "number"),
    _infix("pow", "**", "any"),
    _infix("eq", "==", "bool"),
    _infix("ne", "!=", "bool"),
    _infix("lt", "<", "bool"),
    _infix("le", "<=", "bool"),
    _infix("gt", ">", "bool"),
    _infix("ge", ">=", "bool"),
    Rule("neg", "(-{0})", "(-{0})", "same"),
    _method("abs", 0, template="abs({0})", gives="same"),
    _method("round", 1, template="round({0}, {1})", gives="same"),
    _method("is_in", 1, template="({0} in {1})", gives="bool"),
    _method("between", 2, template="({1} <= {0} <= {2})", gives="bool"),
    Rule("int", "{f}({0})", "{0}.cast(int)", "int", function=int),
    Rule("float", "{f}({0})", "{0}.cast(float)", "float", function=float),
    Rule("str", "{f}({0})", "{0}.cast(str)", function=str),
    Rule("bool", "{f}({0})", "{0}.cast(bool)", "bool", function=words.truth_of),
    _str("lower", template="({0}).lower()"),
    _str("upper", template="({0}).upper()"),
    _str("strip", template="({0}).strip()"),
    _str("length", template="len({0})", gives="int"),
    _str("contains", 1, template="({1} in {0})", gives="bool"),
    _str("count", 1, template="({0}).count({1})", gives="int"),
    _str("starts_with", 1, template="({0}).startswith({1})", gives="bool"),
    _str("ends_with", 1, template="({0}).endswith({1})", gives="bool"),
    _str("replace", 2, template="({0}).replace({1}, {2})"),
    _str("split", 2, function=words.split, nullable=True),
    _str("slice", 2, template="({0})[{1}:{2}]"),
    Rule("str_slice_from", "({0})[{1}:]", "{0}.str.slice({1})"),
    _str("concat", 1, function=words.concat),
    _str("extract", 2, function=words.extract, nullable=True),
    _str("matches", 1, function=words.matches, gives="bool"),
    *_dt("year", clockwork.year, gives="int"),
    *_dt("month", clockwork.month, gives="int"),
    *_dt("day", clockwork.day, gives="int"),
    *_dt("hour", clockwork.hour, gives="int", of_ints="({0} // 3600000 % 24)"),
    *_dt("minute", clockwork.minute, gives="int", of_ints="({0} // 60000 % 60)"),
    *_dt("second", clockwork.second, gives="int", of_ints="({0} // 1000 % 60)"),
    *_dt("weekday", clockwork.weekday, gives="int", of_ints="(({0} // 86400000 + 3) % 7)"),
    *_dt("date", clockwork.date_of),
    *_dt("format", clockwork.text_of, 1),
    *_dt("truncate", clockwork.truncate, 1, of_ints="({0} // {1} * {1})"),
    *_dt("start_of", clockwork.truncate, 1, method="truncate"),
]
RULES = {rule.name: rule for rule in _RULES}
