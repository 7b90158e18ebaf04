"""What the columns of a rule file are when there are no data: kinds as declared, or as the rules use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.rule_file import RuleFile
from schemas.syntax import COMPARISONS, Binary, Call, In, Logic, Name, Node, Text, Unary, walk
from schemas.table_vocabulary import SYNONYMS

GROUP = "group"
PRESENCE_TESTS = frozenset({"is_missing", "is_present", "is_complete", "nz", "coalesce"})
_TEXT_FUNCTIONS = frozenset(
    {"length", "field_length", "matches", "field_format", "number_format", "starts_with", "ends_with", "contains"}
    | {
        "substr",
        "upper",
        "lower",
        "trim",
        "concat",
        "number",
        "raw",
        "valid_uscc",
        "in_codelist",
        "date",
        "period_index",
    }
)
_DATE_FUNCTIONS = frozenset({"year", "quarter", "month", "day", "days_between"})


@dataclass(frozen=True)
class Universe:
    """What the variables are: kind (number, text, date, boolean), closed code sets, who may be blank, whole numbers."""

    kinds: Mapping[str, str]
    domains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    codelists: Mapping[str, frozenset[str]] = field(default_factory=dict)


def universe_of(rules: RuleFile) -> Universe:
    """Kinds of all columns the rules mention, as declared or as they are used; who is tested for blanks."""
    nodes = [n for r in rules.rules for n in ((r.node,) if r.applies is None else (r.node, r.applies))]
    kinds: dict[str, str] = {}
    for node in nodes:
        _infer(node, kinds, "boolean")
    kinds = {name: "text" if kind == GROUP else kind for name, kind in kinds.items()}
    kinds |= {name: c.declared.type for name, c in rules.columns.items() if c.declared}
    optional = frozenset(
        n.code
        for node in nodes
        for call in walk(node)
        if isinstance(call, Call) and SYNONYMS.get(call.function, call.function) in PRESENCE_TESTS
        for n in walk(call)
        if isinstance(n, Name)
    )
    domains = {name: frozenset(c.values) for name, c in rules.columns.items() if c.values}
    whole = frozenset(
        name
        for name, c in rules.columns.items()
        if c.declared and c.declared.type == "number" and c.declared.decimals == 0
    )
    whole |= frozenset(n for n, k in kinds.items() if k == "date")
    lists = {name: codelist.members for name, codelist in rules.codelists.items()}
    return Universe(kinds, domains, optional, whole, lists)


def _infer(node: Node, kinds: dict[str, str], wanted: str) -> None:
    """Note for each name the kind its place asks for; the first place that says more than number rules."""
    match node:
        case Name(code=name):
            if kinds.get(name, GROUP) in (GROUP, "number") and not (wanted == GROUP and name in kinds):
                kinds[name] = wanted
        case Logic(operands=operands):
            for operand in operands:
                _infer(operand, kinds, "boolean")
        case Unary(op=op, operand=operand):
            _infer(operand, kinds, "boolean" if op == "not" else "number")
        case In(operand=operand, choices=choices):
            _infer(operand, kinds, "text" if any(isinstance(c, Text) for c in choices) else "number")
        case Binary(op="=", left=Name(code=option), right=right):
            _infer(right, kinds, GROUP if option in ("by", "order") else "number")
        case Call(function="list", arguments=arguments):
            for argument in arguments:
                _infer(argument, kinds, wanted)
        case Binary(op=op, left=left, right=right):
            sides = (left, right)
            is_text = op in COMPARISONS and any(isinstance(s, Text) for s in sides)
            is_date = op in COMPARISONS and any(_is_date(s) for s in sides)
            is_flag = any(isinstance(s, Call) and s.function in ("true", "false") for s in sides)
            for side in sides:
                kind = "date" if is_date else "text" if is_text else "boolean" if is_flag else "number"
                _infer(side, kinds, kind)
        case Call(function="if", arguments=(test, *branches)):
            _infer(test, kinds, "boolean")
            for branch in branches:
                _infer(branch, kinds, wanted)
        case Call(function=function, arguments=arguments):
            for place, argument in enumerate(arguments):
                _infer(argument, kinds, _kind_of_argument(function, place, argument))


def _is_date(node: Node) -> bool:
    if isinstance(node, Text):
        return len(node.value) == 10 and node.value[4] == "-" and node.value[:4].isdigit()
    return isinstance(node, Call) and node.function == "date"


def _kind_of_argument(function: str, place: int, argument: Node) -> str:
    if function in _TEXT_FUNCTIONS or (function in ("part_whole", "part_whole_relation", "hierarchy") and place == 1):
        return "text"
    if function in _DATE_FUNCTIONS:
        return "date"
    if function in ("is_unique", "all_unique", "all_complete", *PRESENCE_TESTS - {"nz", "coalesce"}):
        return GROUP
    if function in ("any", "all", "exists_any", "exists_one") or (function == "value_of" and place == 1):
        return "boolean"
    if (function.startswith("group_") or function.endswith("_by")) and (place or function == "group_count"):
        return GROUP
    return "boolean" if function == "count" and not isinstance(argument, Name) else "number"
