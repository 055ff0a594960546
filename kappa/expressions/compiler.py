"""Expressions to source: one comprehension over the columns that the expression needs.

Each node becomes an `Emitted`: the text of its value, and the tests that say it is null.
Invariant: a value's text is evaluated only after all its null tests came out false, and
each test's text stands in the result once. So a null that is costly to find is computed in
its test, `(t0 := ...) is None`, and its value is just `t0`.

What is known of a column in one batch (its kind) chooses the text: without null tests for
columns that hold none. `col("a") > 100` on such a column is `[v0 > 100 for v0 in c0]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from kappa.batch.generated import arguments, build, loop
from kappa.errors import InternalError
from kappa.expressions.nodes import (
    Call,
    Case,
    Column,
    FillNull,
    IsNull,
    Literal,
    Logic,
    Matched,
    Meta,
    Named,
    Node,
    Not,
    Param,
    Secret,
    Side,
    walk,
)

Kind: TypeAlias = "type | None"
"""What is known of a column: int or float or bool exactly, `object` for anything but None,
and None where it may hold None."""

LEAVES = (Column, Matched, Meta, Side)
INLINE = 1 << 62


class Test(NamedTuple):
    """A test for null, and its opposite, as texts."""

    null: str
    sound: str


class Emitted(NamedTuple):
    """A node as text: null if any of `tests` holds, else `value`, which is of `kind`.

    `whole` is a shorter text for the two together, if there is one.
    """

    value: str
    tests: tuple[Test, ...]
    kind: type
    whole: str = ""


ALWAYS = Test("True", "False")


def leaves_of(node: Node) -> tuple[Node, ...]:
    """The distinct columns that a tree reads, in the order in which they are named."""
    return tuple(dict.fromkeys(leaf for leaf in walk(node) if isinstance(leaf, LEAVES)))


@dataclass(slots=True)
class Emitter:
    """Turns one tree into text.

    Args:
        leaves: the columns, which become v0, v1, ...
        kinds: what is known of each.
        constants: the values of parameters and secrets, by node.
    """

    leaves: Sequence[Node]
    kinds: Sequence[Kind]
    constants: Mapping[Node, Any]
    namespace: dict[str, object]
    temporaries: int = 0

    # -- names ---------------------------------------------------------------------------

    def bind(self, value: object, letter: str = "k") -> str:
        """A name for a value in the generated function."""
        for name, known in self.namespace.items():
            if known is value:
                return name
        name = f"{letter}{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def temporary(self) -> str:
        """A new local name."""
        self.temporaries += 1
        return f"t{self.temporaries - 1}"

    def constant(self, value: object) -> Emitted:
        """A constant: None and small numbers as they are, anything else by a name."""
        if value is None:
            return Emitted("None", (ALWAYS,), object)
        kind = type(value) if type(value) in (bool, int, float) else object
        if kind in (int, float) and -INLINE < value < INLINE:  # type: ignore[operator]
            text = repr(value)
            return Emitted(f"({text})" if text.startswith("-") else text, (), kind)
        return Emitted(self.bind(value), (), kind)

    # -- values --------------------------------------------------------------------------

    def emit(self, node: Node) -> Emitted:
        """The value of a node and when it is null."""
        if isinstance(node, Named):
            return self.emit(node.child)
        if isinstance(node, LEAVES):
            return self._leaf(node)
        if isinstance(node, Literal):
            return self.constant(node.value)
        if isinstance(node, Param | Secret):
            return self.constant(self.constants[node])
        if isinstance(node, Call):
            return self._call(node)
        return self._special(node)

    def _special(self, node: Node) -> Emitted:
        if isinstance(node, Not):
            child = self.emit(node.child)
            return Emitted(f"(not {child.value})", child.tests, bool)
        if isinstance(node, IsNull):
            return Emitted(f"({either(self.emit(node.child).tests)})", (), bool)
        if isinstance(node, FillNull):
            return self._fill(node)
        if isinstance(node, Case):
            return self._case(node)
        if isinstance(node, Logic):
            return self._logic(node)
        raise InternalError(f"no text for {node!r}")

    def _leaf(self, node: Node) -> Emitted:
        index = self.leaves.index(node)
        kind = self.kinds[index]
        name = f"v{index}"
        if kind is None:
            return Emitted(name, (Test(f"{name} is None", f"{name} is not None"),), object, name)
        return Emitted(name, (), kind)

    def _call(self, node: Call) -> Emitted:
        rule = node.rule
        operands = [self.emit(operand) for operand in node.operands]
        kinds = [operand.kind for operand in operands]
        template = rule.of_ints if rule.of_ints and kinds[0] is int else rule.template
        function = self.bind(rule.function, "f") if rule.function else ""
        value = template.format(*(operand.value for operand in operands), f=function)
        tests = tuple(dict.fromkeys(test for operand in operands for test in operand.tests))
        kind = _kind_of(rule.gives, kinds)
        if rule.nullable:
            return self.settled(guarded(Emitted(value, tests, object)))
        return Emitted(value, tests, kind)

    def _fill(self, node: FillNull) -> Emitted:
        child, other = self.emit(node.child), self.emit(node.value)
        if not child.tests:
            return child
        text = f"({guarded(other)} if {either(child.tests)} else {child.value})"
        kind = child.kind if child.kind is other.kind else object
        return self.settled(text, kind) if other.tests else Emitted(text, (), kind)

    def _case(self, node: Case) -> Emitted:
        values = [self.emit(value) for _, value in node.branches]
        otherwise = self.emit(node.otherwise)
        text = guarded(otherwise)
        for (test, _), value in zip(reversed(node.branches), reversed(values)):
            text = f"({guarded(value)} if {self.truth(test)} else {text})"
        every = [*values, otherwise]
        kinds = {one.kind for one in every}
        kind = kinds.pop() if len(kinds) == 1 else object
        if any(one.tests for one in every):
            return self.settled(text, kind)
        return Emitted(text, (), kind)

    def _logic(self, node: Logic) -> Emitted:
        """Three-valued: one operand decides, else null if either is, else the other."""
        one, other = self._truth_value(node.one), self._truth_value(node.other)
        deciding, word = ("False", "and") if node.sign == "&" else ("True", "or")
        if not one.tests and not other.tests:
            return Emitted(f"({one.value} {word} {other.value})", (), bool)
        if not one.tests:
            return self.settled(f"({one.value} {word} {guarded(other)})", bool)
        first = self.temporary()
        decided = f"({first} := {guarded(one)}) is {deciding}"
        if not other.tests:
            last = other.value if deciding == "True" else f"not {other.value}"
            return self.settled(f"({deciding} if {decided} or {last} else {first})", bool)
        second = self.temporary()
        decided += f" or ({second} := {guarded(other)}) is {deciding}"
        rest = f"None if {first} is None or {second} is None else {first}"
        return self.settled(f"({deciding} if {decided} else {rest})", bool)

    def _truth_value(self, node: Node) -> Emitted:
        found = self.emit(node)
        if found.kind is bool:
            return found
        return Emitted(f"(not not {found.value})", found.tests, bool)

    def settled(self, text: str, kind: type = object) -> Emitted:
        """A value that may be None, computed in its null test."""
        name = self.temporary()
        computed = f"({name} := {text})"
        tests = (Test(f"{computed} is None", f"{computed} is not None"),)
        return Emitted(name, tests, kind, text)

    # -- truth ---------------------------------------------------------------------------

    def truth(self, node: Node, negate: bool = False) -> str:
        """Text that is true where the node is true (or, negated, where it is false).

        Null is neither. Cheaper than the value: most null tests fall away.
        """
        if isinstance(node, Named):
            return self.truth(node.child, negate)
        if isinstance(node, Not):
            return self.truth(node.child, not negate)
        if isinstance(node, Logic):
            word = "and" if (node.sign == "&") != negate else "or"
            return f"({self.truth(node.one, negate)} {word} {self.truth(node.other, negate)})"
        if not negate and self._false_on_null(node):
            return self.emit(node).value
        found = self.emit(node)
        value = f"not {found.value}" if negate else found.value
        if found.whole and not negate:
            return found.whole
        sound = " and ".join(test.sound for test in found.tests)
        return f"({sound} and {value})" if sound else f"({value})"

    def _false_on_null(self, node: Node) -> bool:
        """Whether a null leaf makes the value's text false without an error."""
        if isinstance(node, LEAVES):
            return True
        if not isinstance(node, Call) or node.rule.name not in ("eq", "is_in"):
            return False
        rest = [operand for operand in node.operands if not isinstance(operand, LEAVES)]
        return len(rest) == 1 and isinstance(rest[0], Literal) and rest[0].value is not None


def either(tests: Sequence[Test]) -> str:
    """Text that is true if any test holds."""
    return " or ".join(test.null for test in tests) or "False"


def guarded(emitted: Emitted) -> str:
    """The value, or None where it is null."""
    if not emitted.tests or emitted.whole:
        return emitted.whole or emitted.value
    if emitted.tests[0] is ALWAYS:
        return "None"
    return f"(None if {either(emitted.tests)} else {emitted.value})"


def _kind_of(gives: str, kinds: Sequence[type]) -> type:
    if gives == "bool":
        return bool
    if gives in ("int", "float"):
        return int if gives == "int" else float
    if gives == "any" or not all(kind is int or kind is float for kind in kinds):
        return object
    if gives == "same":
        return kinds[0]
    return float if gives == "quotient" or float in kinds else int


def compiled(
    node: Node,
    leaves: Sequence[Node],
    kinds: Sequence[Kind],
    constants: Mapping[Node, Any],
    *,
    mask: bool = False,
) -> tuple[Callable[..., list[Any]], Kind]:
    """A function from the leaves' columns to the values of a tree, and their kind.

    Args:
        leaves: its columns, as `leaves_of` gives them. Without any the function takes the
            number of rows instead.
        kinds: what is known of each.
        constants: values of its parameters and secrets.
        mask: only the truth of the values counts: null may come out as false.
    """
    emitter = Emitter(leaves, kinds, constants, {})
    kind: Kind
    if mask:
        text, kind = emitter.truth(node), None
    else:
        emitted = emitter.emit(node)
        text, kind = guarded(emitted), (None if emitted.tests else emitted.kind)
    if leaves:
        source = f"def compute({arguments(leaves)}):\n    return [{text} {loop(leaves)}]\n"
    else:
        source = f"def compute(count):\n    return [{text} for _ in range(count)]\n"
    return build(source, "compute", emitter.namespace), kind
