"""What the functions that look at other records mean: parts and wholes, key sets, earlier periods, other tables, superiors."""

from __future__ import annotations

from schemas.syntax import Call, Name, Node, Text, fault
from schemas.table_model import PREVIOUS, REGISTER
from schemas.table_parser import LIST, parse_table
from schemas.table_terms import BLANK, Aggregate, Pattern
from schemas.table_typing import Calls, Given, Handler, Typing, common
from schemas.typed_expression import Typed
from schemas.variables import BOOLEAN, FLOAT, INTEGER, TEXT


def _labels(t: Typing, node: Node) -> Pattern:
    if isinstance(node, Call) and node.function in ("rx", "glob"):
        return Pattern(node.function, tuple(t.plain_text(a, node.function) for a in node.arguments))
    listed = node.arguments if isinstance(node, Call) and node.function == LIST else (node,)
    return Pattern("fixed", tuple(t.plain_text(a, "标签") for a in listed))


def _part_whole(t: Typing, g: Given) -> Typed:
    value, label, whole, *part = g.values
    patterns = (_labels(t, whole), _labels(t, part[0]) if part else None)
    by = t.keys(g.by)
    return Typed(
        "part_whole",
        BOOLEAN,
        (t.number(value), t.text(label), *by),
        value=(len(by), t.skips(g), t.tolerance, *patterns),
    )


def _hierarchy(t: Typing, g: Given) -> Typed:
    value, label, name = g.values
    listed = t.plain_text(name, "代码表名")
    if listed not in t.tables.codelists or "parent" not in t.tables.codelists[listed].columns:
        fault(
            f"没有带 parent 列的代码表“{listed}”", g.place, "请在规则文件写 [[codelist]] name、file(列 code、parent)。"
        )
    by = t.keys(g.by)
    return Typed(
        "hierarchy", BOOLEAN, (t.number(value), t.text(label), *by), value=(len(by), t.skips(g), t.tolerance, listed)
    )


def _contains(op: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        name = t.plain_text(g.values[0], "表名")
        keys = t.on(name).table.columns
        absent = [c for c in keys if c not in t.table.columns]
        if absent:
            fault(f"表 {name} 的列 {'、'.join(absent)} 不在数据里", g.place, "两边的列名要相同。")
        found = tuple(Typed("raw", TEXT, value=c) for c in keys)
        return Typed(op, BOOLEAN, (*found, *t.keys(g.by)), value=(name, len(g.by), tuple(keys)))

    return handler


def _earlier(op: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        _require_key(t, g)
        if not t.table.period:
            inner = t.on(PREVIOUS).of(g.values[0])
            return Typed("other_value", inner.kind, (inner, *_own_key(t)), (PREVIOUS, t.table.key), inner.roster)
        inner = t.of(g.values[0])
        earlier = (t.on(PREVIOUS).of(g.values[0]),) if PREVIOUS in t.tables.beside else ()
        return Typed(op, inner.kind, (inner, *earlier), roster=inner.roster)

    return handler


def _growth(t: Typing, g: Given) -> Typed:
    now, before = t.number(g.values[0]), _earlier("prev")(t, g)
    if before.roster == BLANK:
        before = Typed("blank", INTEGER)
    if not before.kind.is_number:
        fault("growth 要数值", g.place)
    kind, pair = common((now, before))
    # (x - x0) / x0, not x / x0 - 1: 110 after 100 is 0.1 and not 0.10000000000000009.
    return Typed("div", FLOAT, (Typed("sub", kind, pair), pair[1]))


def _require_key(t: Typing, g: Given) -> None:
    if not t.table.key:
        fault(f"{g.call.function} 要知道哪些列是键", g.place, '请在规则文件写 [table] key = ["…"]。')


def _own_key(t: Typing) -> tuple[Typed, ...]:
    return tuple(Typed("raw", TEXT, value=k) for k in t.table.key)


def _lookup_keys(t: Typing, g: Given, name: str, given: tuple[Node, ...]) -> tuple[tuple[Typed, ...], tuple[str, ...]]:
    """Our key values, and the columns of the other table they are looked up in."""
    other = t.on(name).table
    if not given:
        _require_key(t, g)
        columns = other.key or t.table.key
        own = _own_key(t)
    else:
        written = tuple(n.code if isinstance(n, Name) else "" for n in given)
        columns = other.key or written
        own = tuple(_key_text(t, n) for n in given)
    if len(own) != len(columns):
        fault(f"表 {name} 的键是 {'、'.join(columns)},这里给了 {len(own)} 个", g.place)
    absent = [c for c in columns if c not in other.columns]
    if absent:
        fault(
            f"表 {name} 没有键列 {'、'.join(a or '?' for a in absent)}", g.place, f'请写 [other.{name}] key = ["…"]。'
        )
    return own, columns


def _key_text(t: Typing, node: Node) -> Typed:
    found = t.of(node)
    if found.op == "column":
        return Typed("raw", TEXT, value=found.value)
    return found if found.kind == TEXT else Typed("as_text", TEXT, (found,))


def _table_name(t: Typing, g: Given, fixed: str) -> tuple[str, tuple[Node, ...]]:
    return (fixed, g.values) if fixed else (t.plain_text(g.values[0], "表名"), g.values[1:])


def _other(fixed: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        name, (column, *keys) = _table_name(t, g, fixed)
        there = t.on(name)
        inner = there.of(parse_table(column.value)) if isinstance(column, Text) else there.of(column)
        own, columns = _lookup_keys(t, g, name, tuple(keys))
        return Typed("other_value", inner.kind, (inner, *own), (name, columns), inner.roster)

    return handler


def _in_other(fixed: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        name, keys = _table_name(t, g, fixed)
        own, columns = _lookup_keys(t, g, name, tuple(keys))
        return Typed("in_other", BOOLEAN, own, value=(name, columns))

    return handler


def _other_aggregate(t: Typing, g: Given) -> Typed:
    name, rest = _table_name(t, g, "")
    there = t.on(name)
    function = g.function.name.removeprefix("other_")
    if function == "count":
        own, columns = _lookup_keys(t, g, name, tuple(rest))
        return Typed("other_agg", INTEGER, own, value=(name, columns, Aggregate("count"), 0))
    column, *keys = rest
    node = parse_table(column.value) if isinstance(column, Text) else column
    inner = there.number(node)
    own, columns = _lookup_keys(t, g, name, tuple(keys))
    return Typed(
        "other_agg",
        FLOAT if function == "mean" else inner.kind,
        (inner, *own),
        value=(name, columns, Aggregate(function, 0, t.skips(g)), 1),
    )


def _require_parent(t: Typing, g: Given) -> None:
    if not t.table.parent or len(t.table.key) != 1:
        fault(
            f"{g.call.function} 要知道上级", g.place, '请在规则文件写 [table] key = ["代码列"]、parent = "上级代码列"。'
        )


def _parent(t: Typing, g: Given) -> Typed:
    _require_parent(t, g)
    inner = t.of(g.values[0])
    return Typed("parent", inner.kind, (inner,), roster=inner.roster)


def _has_parent(t: Typing, g: Given) -> Typed:
    _require_parent(t, g)
    return Typed("has_parent", BOOLEAN)


def _children(t: Typing, g: Given) -> Typed:
    _require_parent(t, g)
    function = g.function.name.removeprefix("children_")
    form = Aggregate(function, 0, t.skips(g) if "missing" in g.function.options else False)
    if function == "count":
        return Typed("children", INTEGER, tuple(t.condition(v) for v in g.values), value=form)
    inner = t.number(g.values[0])
    return Typed("children", FLOAT if function == "mean" else inner.kind, (inner,), value=form)


RELATION_CALLS: Calls = {
    "part_whole": _part_whole,
    "hierarchy": _hierarchy,
    **{n: _contains(n) for n in ("contains_exactly", "contains_at_least", "contains_at_most", "does_not_contain")},
    **{n: _earlier(n) for n in ("prev", "yoy", "last")},
    "growth": _growth,
    "in_previous": _in_other(PREVIOUS),
    "register": _other(REGISTER),
    "in_register": _in_other(REGISTER),
    "other": _other(""),
    "in_other": _in_other(""),
    **{f"other_{n}": _other_aggregate for n in ("sum", "count", "mean", "max", "min")},
    "parent": _parent,
    "has_parent": _has_parent,
    **{f"children_{n}": _children for n in ("sum", "count", "mean", "max", "min")},
}
"""Function → its meaning."""
