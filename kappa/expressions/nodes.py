"""The expression tree: frozen nodes that say what to compute and know nothing of rows.

`repr` of a node is its faithful text. `Expression` wraps a node with Python's operators;
the compiler turns one into source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kappa.errors import ConfigError
from kappa.expressions.rules import Rule


class Required:
    """Says that there is no default."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = Required()


class Node:
    """A part of an expression. Nodes are equal if their texts are (1 and True differ)."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes below."""
        return ()

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        """The same node above other children."""
        return self


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Column(Node):
    """A field of the row; null where it is None. `default` stands in where it is missing."""

    field: str
    default: Any = REQUIRED

    def __repr__(self) -> str:
        default = "" if self.default is REQUIRED else f", default={self.default!r}"
        return f"col({self.field!r}{default})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Meta(Node):
    """A fact about the record: time, lsn, append_time, topic, partition, offset or key."""

    fact: str

    def __repr__(self) -> str:
        return f"meta.{self.fact}"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Side(Node):
    """A field of one of the two rows of a join."""

    side: str
    field: str

    def __repr__(self) -> str:
        return f"{self.side}({self.field!r})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Matched(Node):
    """What a pattern knows of the rows that one of its variables has taken.

    Without a variable: of the rows before the one at hand, whatever they are matched to.
    """

    variable: str
    what: str
    source: Node | None = None
    back: int = 0

    @property
    def children(self) -> tuple[Node, ...]:
        return () if self.source is None else (self.source,)

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return Matched(self.variable, self.what, children[0] if children else None, self.back)

    def __repr__(self) -> str:
        source = self.source
        shown = [] if source is None else [repr(source)]
        if isinstance(source, Column) and source.default is REQUIRED:
            shown = [repr(source.field)]
        if self.back or not self.variable:
            shown.append(str(self.back))
        owner = f"matched({self.variable!r})." if self.variable else ""
        return f"{owner}{self.what}({', '.join(shown)})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Literal(Node):
    """A constant; `shown` is its text where that is not the value's own."""

    value: Any
    shown: str = ""

    def __repr__(self) -> str:
        return f"lit({self.shown or repr(self.value)})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Param(Node):
    """A parameter of the pipeline, given to `run` or left at its default."""

    name: str
    kind: type
    default: Any = REQUIRED

    def checked(self, value: Any) -> Any:
        """`value` if it is of the declared type; an int passes for a float.

        Raises:
            ConfigError: it is of another type.
        """
        if self.kind is float and type(value) is int:
            return float(value)
        if type(value) is not self.kind:
            raise ConfigError(
                f"parameter {self.name!r} is {value!r} ({type(value).__name__}), but it is"
                f" declared as {self.kind.__name__}"
            )
        return value

    def resolved(self, params: Mapping[str, Any]) -> Any:
        """Its value among those given.

        Raises:
            ConfigError: it was not given and has no default, or has another type.
        """
        value = params.get(self.name, self.default)
        if value is REQUIRED:
            raise ConfigError(
                f"parameter {self.name!r} has no default: give params={{{self.name!r}: ...}}"
            )
        return None if value is None and self.default is None else self.checked(value)

    def __repr__(self) -> str:
        default = "" if self.default is REQUIRED else f", default={self.default!r}"
        return f"param({self.name!r}, {self.kind.__name__}{default})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Secret(Node):
    """A variable of the environment, read when the step is opened and never shown."""

    variable: str

    def __repr__(self) -> str:
        return f"secret({self.variable!r})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Call(Node):
    """A function of operands, null if any of them is."""

    rule: Rule
    operands: tuple[Node, ...]

    @property
    def children(self) -> tuple[Node, ...]:
        return self.operands

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return Call(self.rule, children)

    def __repr__(self) -> str:
        first, *rest = self.operands
        # Python reads a comparison with a constant in front the other way round.
        reflected = self.rule.show.startswith("({0} ") and self.rule.gives != "bool"
        opening = shown(first) if reflected and not all(map(is_constant, rest)) else repr(first)
        return self.rule.show.format(opening, *map(shown, rest))


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Logic(Node):
    """`&` or `|`, three-valued; operands count by Python's truth."""

    sign: str
    one: Node
    other: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.one, self.other)

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return Logic(self.sign, *children)

    def __repr__(self) -> str:
        one = repr(self.one) if is_constant(self.other) else shown(self.one)
        return f"({one} {self.sign} {shown(self.other)})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Not(Node):
    """The opposite; null stays null."""

    child: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.child,)

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return Not(*children)

    def __repr__(self) -> str:
        return f"(~{self.child!r})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class IsNull(Node):
    """Whether the operand is null. It computes no more of it than that takes."""

    child: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.child,)

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return IsNull(*children)

    def __repr__(self) -> str:
        return f"{self.child!r}.is_null()"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FillNull(Node):
    """The operand, or `value` where it is null."""

    child: Node
    value: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.child, self.value)

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return FillNull(*children)

    def __repr__(self) -> str:
        return f"{self.child!r}.fill_null({shown(self.value)})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Case(Node):
    """The value behind the first condition that is true, else `otherwise`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (*(node for branch in self.branches for node in branch), self.otherwise)

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return Case(tuple(zip(children[:-1:2], children[1::2])), children[-1])

    def __repr__(self) -> str:
        texts = [f"when({shown(test)}).then({shown(value)})" for test, value in self.branches]
        return f"{'.'.join(texts)}.otherwise({shown(self.otherwise)})"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Named(Node):
    """An expression under a name."""

    child: Node
    name: str

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.child,)

    def rebuilt(self, children: tuple[Node, ...]) -> Node:
        return Named(children[0], self.name)

    def __repr__(self) -> str:
        return f"{self.child!r}.named({self.name!r})"


def shown(node: Node) -> str:
    """The text of an operand: a constant as itself, unless it is null.

    Where nothing else would make the whole an expression, a node writes `lit(...)` instead,
    so that its text read as Python gives it again.
    """
    if isinstance(node, Literal) and node.value is not None:
        return node.shown or repr(node.value)
    return repr(node)


def is_constant(node: Node) -> bool:
    """Whether `shown` gives a plain value."""
    return isinstance(node, Literal) and node.value is not None


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def replaced(node: Node, change: Callable[[Node], Node | None]) -> Node:
    """The tree with every part replaced for which `change` gives another."""
    found = change(node)
    if found is not None:
        return found
    return node.rebuilt(tuple(replaced(child, change) for child in node.children))


def resided(node: Node, names: Mapping[tuple[str, str], str]) -> Node:
    """The tree with every field of a join's side read from the field that `names` gives it."""
    return replaced(
        node,
        lambda one: Column(names[one.side, one.field]) if isinstance(one, Side) else None,
    )
