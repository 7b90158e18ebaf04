"""The rule language: one grammar for rules, applicability, derivations, indices, targets, warnings and tables.

``parse`` gives a tree of frozen nodes, ``to_text`` writes it back, ``expand`` puts derivations in. The tree is pure syntax:
what names mean, and which types meet, is settled in ``schemas.typed_expression``; ``polars_target`` and ``sql_target``
carry it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from schemas import reserved
from schemas.errors import DefinitionError
from schemas.parser import parse
from schemas.syntax import (
    COMPARISONS,
    CONTEXT_VARIABLES,
    FUNCTIONS,
    LAGS,
    Binary,
    Call,
    In,
    Logic,
    Name,
    Node,
    Number,
    Place,
    Text,
    Unary,
    children,
    fault,
    rebuilt,
    to_text,
    walk,
)

__all__ = [
    "COMPARISONS",
    "CONTEXT_VARIABLES",
    "FUNCTIONS",
    "LAGS",
    "Binary",
    "Call",
    "Derivation",
    "In",
    "Logic",
    "Name",
    "Node",
    "Number",
    "Place",
    "Text",
    "Unary",
    "children",
    "distributed",
    "expand",
    "fault",
    "functions",
    "names",
    "operand_column",
    "operands",
    "parse",
    "rebuilt",
    "to_text",
    "walk",
]


def names(node: Node) -> frozenset[str]:
    """Every name in the expression as written: codes, context variables, derivations."""
    return frozenset(n.code for n in walk(node) if isinstance(n, Name))


def functions(node: Node) -> frozenset[str]:
    """Every function the expression uses."""
    return frozenset(n.function for n in walk(node) if isinstance(n, Call))


def operand_column(code: str, lag: str = "") -> str:
    """The column an operand stands in: ``F01``, ``F01_yoy``. The only place that spells it (architecture.md, contract 2)."""
    return f"{code}_{lag}" if lag else code


def operands(node: Node) -> frozenset[tuple[str, str]]:
    """(code, lag) of every indicator needed, lag in "", prev, last, yoy, q4; expand derivations first.

    Without context variables and the period code B03, which need no column; with the industry code where
    ``industry(…)`` reads it.
    """
    return frozenset(
        (n.code, n.lag)
        for n in walk(distributed(node))
        if isinstance(n, Name) and n.code not in CONTEXT_VARIABLES and n.code != reserved.PERIOD
    )


def distributed(node: Node, lag: str = "") -> Node:
    """The tree with every lag moved down to the names: ``yoy(a/b)`` becomes ``yoy(a)/yoy(b)``; idempotent.

    ``industry('C39')`` receives the industry code of the row as its first argument, so that it can be lagged too.
    """
    match node:
        case Name():
            return _lagged(node, lag)
        case Call(function=function, arguments=arguments) if function in LAGS:
            if lag and lag != function:
                fault(f"{lag}() 之内不能再用 {function}()", node.place)
            if lag:
                fault(f"{function}() 不能嵌套", node.place)
            if len(arguments) != 1:
                fault(f"{function}() 要 1 个参数,写了 {len(arguments)} 个", node.place)
            return distributed(arguments[0], function)
        case Call(function="industry", arguments=arguments) if not any(isinstance(a, Name) for a in arguments):
            own = _lagged(Name(reserved.INDUSTRY, "", node.place), lag)
            return replace(node, arguments=(own, *arguments))
    return rebuilt(node, lambda child: distributed(child, lag))


def _lagged(name: Name, lag: str) -> Node:
    if not lag or name.code in ("park_code", reserved.PERIOD):
        return name
    if name.code in CONTEXT_VARIABLES:
        if name.code == "period_year" and lag in ("yoy", "q4"):
            return Binary("-", name, Number(Decimal(1)), name.place) if lag == "yoy" else name
        fault(f"{lag}() 之内不能用 {name.code}", name.place, "请把它移到括号之外。")
    if name.lag:
        fault(f"{lag}() 之内不能再用 {name.lag}()", name.place)
    return replace(name, lag=lag)


_HEAD = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^)]*)\))?\s*", re.ASCII)


@dataclass(frozen=True)
class Derivation:
    """A named expression, used like a macro; ``parameters`` for the style ``HAMP(x)``."""

    name: str
    parameters: tuple[str, ...]
    body: Node


@lru_cache(maxsize=64)
def _derivations(items: tuple[tuple[str, str], ...]) -> Mapping[str, Derivation]:
    found: dict[str, Derivation] = {}
    for head, body in items:
        read = _HEAD.fullmatch(head)
        if not read or read[1] in FUNCTIONS or read[1] in CONTEXT_VARIABLES:
            raise DefinitionError(f"派生变量名“{head}”无效", remedy="名称用字母和数字,不与函数或上下文变量同名。")
        parameters = tuple(p.strip() for p in (read[2] or "").split(",") if p.strip())
        found[read[1]] = Derivation(read[1], parameters, parse(body))
    return found


def expand(node: Node, derivations: Mapping[str, str]) -> Node:
    """The tree with every derivation (``INNO``, ``HAMP(N32)``) replaced by its meaning, however deep.

    Raises DefinitionError where derivations refer to each other in a circle.
    """
    return _expanded(node, _derivations(tuple(derivations.items())), {}, ()) if derivations else node


def _expanded(node: Node, known: Mapping[str, Derivation], bound: Mapping[str, Node], inside: tuple[str, ...]) -> Node:
    match node:
        case Name(code=code) if code in bound:
            return bound[code]
        case Name(code=code) | Call(function=code) if code in known:
            derivation = known[code]
            if code in inside:
                fault(f"派生变量循环引用:{' → '.join((*inside, code))}", node.place)
            given = node.arguments if isinstance(node, Call) else ()
            if len(given) != len(derivation.parameters):
                fault(f"{code} 要 {len(derivation.parameters)} 个参数,写了 {len(given)} 个", node.place)
            values = (_expanded(g, known, bound, inside) for g in given)
            return _expanded(
                derivation.body, known, dict(zip(derivation.parameters, values, strict=True)), (*inside, code)
            )
    return rebuilt(node, lambda child: _expanded(child, known, bound, inside))
