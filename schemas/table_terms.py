"""What typed expressions on tables are made of besides operations: tolerance, aggregates, patterns; parameters put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from schemas.errors import StatisticsError
from schemas.syntax import Call, Node, Text
from schemas.table_model import PREVIOUS, REGISTER
from schemas.table_parser import column_names, parse_table, substituted
from schemas.typed_expression import Typed

# A column without a single value has no type of its own; carried in ``Typed.roster``, of which tables have no other use.
BLANK = "blank"
SCALAR_OPS = frozenset({"is_linear_sequence", "all_unique", "all_complete"})
ROW_OPS = frozenset(
    [
        "column",
        "raw",
        "blank",
        "is_unique",
        "exists_any",
        "exists_one",
        "share",
        "rank",
        "value_of",
        "lag",
        "z_score",
        "robust_z",
        "within_fences",
        "hb",
        "hb_effect",
        "hb_within",
        "in_linear_sequence",
        "no_gaps",
        "part_whole",
        "hierarchy",
        "contains_exactly",
        "contains_at_least",
        "contains_at_most",
        "does_not_contain",
        "prev",
        "yoy",
        "last",
        "in_previous",
        "in_other",
        "other_value",
        "other_agg",
        "parent",
        "has_parent",
        "children",
    ]
)


class TableMissingError(StatisticsError):
    """A rule needs a table that was not given; it stays undetermined."""

    def __init__(self, name: str) -> None:
        self.name = name
        option = {PREVIOUS: "--previous", REGISTER: "--register"}.get(name, f"--other {name}=文件")
        super().__init__(f"没有提供 {option}")


@dataclass(frozen=True)
class Tolerance:
    """Two numbers count as equal when they differ by at most ``absolute`` or ``relative`` × the larger magnitude."""

    absolute: Decimal = Decimal(0)
    relative: Decimal = Decimal(0)

    def __bool__(self) -> bool:
        return bool(self.absolute or self.relative)


NO_TOLERANCE = Tolerance()


@dataclass(frozen=True)
class Scope:
    """What names in an expression can stand for besides columns."""

    parameters: Mapping[str, Node] = field(default_factory=dict)
    definitions: Mapping[str, str] = field(default_factory=dict)


def resolved(node: Node, scope: Scope, inside: tuple[str, ...] = ()) -> Node:
    """The tree with parameters and definitions put in. Raises DefinitionError where definitions go in a circle."""
    meaning = dict(scope.parameters)
    for name, text in scope.definitions.items():
        if name in inside:
            meaning[name] = Call("circle", (Text(" → ".join((*inside, name))),))
        elif _mentions(node, name):
            meaning[name] = resolved(parse_table(text), scope, (*inside, name))
    return substituted(node, meaning)


def _mentions(node: Node, name: str) -> bool:
    return name in column_names(node)


@dataclass(frozen=True)
class Aggregate:
    """The part of an aggregate that is no operand: which one, how many of the arguments are groups, what blanks do."""

    function: str
    groups: int = 0
    skip: bool = False
    number: Decimal | None = None


@dataclass(frozen=True)
class Pattern:
    """Labels named one by one, or by a regular expression."""

    kind: str
    texts: tuple[str, ...]


def is_scalar(expression: Typed) -> bool:
    """Whether the value is one for the whole table, so that the rule is judged once."""
    if expression.op in SCALAR_OPS:
        return True
    if expression.op == "agg":
        return isinstance(expression.value, Aggregate) and not expression.value.groups
    if expression.op in ROW_OPS:
        return False
    return all(map(is_scalar, expression.args))
