"""What each function of the table vocabulary means: arguments and options to typed operations.

Values, texts, dates, aggregates and outliers; ``table_relation_calls`` has what looks at other records and tables.
"""

from __future__ import annotations

from decimal import Decimal

from schemas.syntax import Node, Text, fault
from schemas.table_model import Tables
from schemas.table_parser import parse_table
from schemas.table_relation_calls import RELATION_CALLS
from schemas.table_terms import NO_TOLERANCE, Aggregate, Pattern, Tolerance
from schemas.table_typing import MAX_SCALE, Calls, Given, Handler, Typing, as_float, common
from schemas.typed_expression import Typed
from schemas.variables import BOOLEAN, DATE, FLOAT, INTEGER, TEXT, Family, Kind

MAD_CONSTANT = Decimal("1.4826")


def typed_table(node: Node | str, tables: Tables, tolerance: Tolerance = NO_TOLERANCE, *, exact: bool = True) -> Typed:
    """The typed operations of one expression on ``tables.data``; ``exact = False`` multiplies in Float64.

    Raises DefinitionError for what does not exist or does not meet, TableMissingError for a table that was not given.
    """
    tree = parse_table(node) if isinstance(node, str) else node
    return Typing(tables, tables.data, tolerance, exact, CALLS).of(tree)


def _any_kind(op: str, kind: Kind) -> Handler:
    return lambda t, g: Typed(op, kind, tuple(map(t.of, g.values)))


def _same_number(op: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        inner = t.number(g.values[0])
        return Typed(op, inner.kind, (inner,))

    return handler


def _whole(op: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        inner = t.number(g.values[0])
        return Typed(op, INTEGER if inner.kind.family is Family.EXACT else FLOAT, (inner,))

    return handler


def _float(op: str) -> Handler:
    return lambda t, g: Typed(op, FLOAT, tuple(as_float(t.number(v)) for v in g.values))


def _texts(op: str, kind: Kind) -> Handler:
    return lambda t, g: Typed(op, kind, tuple(map(t.text, g.values)))


def _date_part(op: str) -> Handler:
    return lambda t, g: Typed(op, INTEGER, (t.date(g.values[0]),))


def _nz(t: Typing, g: Given) -> Typed:
    inner = t.of(g.values[0])
    if not (inner.kind.is_number or inner.kind == BOOLEAN):
        inner = t.number(g.values[0])
    return Typed("nz", inner.kind, (inner,))


def _coalesce(t: Typing, g: Given) -> Typed:
    kind, values = t.alike(g.values, g.place)
    return Typed("coalesce", kind, values)


def _round(t: Typing, g: Given) -> Typed:
    inner = t.number(g.values[0])
    digits = int(t.plain_number(g.values[1], "小数位数")) if len(g.values) > 1 else 0
    if not 0 <= digits <= MAX_SCALE:
        fault(f"round 的小数位数在 0 到 {MAX_SCALE} 之间", g.place)
    kind = Kind(Family.EXACT, digits) if inner.kind.family is Family.EXACT else FLOAT
    return Typed("round", kind, (inner,), value=digits)


def _mod(t: Typing, g: Given) -> Typed:
    kind, values = common((t.number(g.values[0]), t.number(g.values[1])))
    return Typed("mod", kind, values)


def _extreme(t: Typing, g: Given) -> Typed:
    if len(g.values) == 1:
        return _aggregate(t, g)
    kind, values = t.alike(g.values, g.place)
    if not kind.is_number and kind != DATE:
        fault(f"{g.function.name} 要数值或日期", g.place)
    return Typed(g.function.name, kind, values)


def _in_range(t: Typing, g: Given) -> Typed:
    value, low, high = g.values
    strict = "strict" in g.options and t.of(g.options["strict"]).value is True
    sides = [t.of(v) for v in g.values]
    if sides[0].kind == TEXT and all(isinstance(v, Text) for v in (low, high)):
        sides = [Typed("period_index", INTEGER, (t.text(v),)) for v in g.values]
        below = t.compared("lt" if strict else "le", sides[1], sides[0], g.place)
        above = t.compared("lt" if strict else "le", sides[0], sides[2], g.place)
    else:
        first, lowest = t.partners(value, low)
        second, highest = t.partners(value, high)
        below = t.compared("lt" if strict else "le", lowest, first, g.place)
        above = t.compared("lt" if strict else "le", second, highest, g.place)
    return Typed("and", BOOLEAN, (below, above))


def _field_length(t: Typing, g: Given) -> Typed:
    length = Typed("length", INTEGER, (t.text(g.values[0]),))
    bounds = [t.number(v) for v in g.values[1:]]
    if len(bounds) == 1:
        return Typed("eq", BOOLEAN, (length, bounds[0]), value=NO_TOLERANCE)
    if len(bounds) != 2:
        fault("field_length 要长度 n,或最短、最长", g.place, "例如 field_length(id, 5)。")
    return Typed(
        "and",
        BOOLEAN,
        (
            Typed("ge", BOOLEAN, (length, bounds[0]), value=NO_TOLERANCE),
            Typed("le", BOOLEAN, (length, bounds[1]), value=NO_TOLERANCE),
        ),
    )


def _pattern_call(kind: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        text = t.plain_text(g.values[1], f"{g.function.name} 的格式")
        return Typed("matches", BOOLEAN, (t.text(g.values[0]),), value=Pattern(kind, (text,)))

    return handler


def _raw(t: Typing, g: Given) -> Typed:
    found = t.of(g.values[0])
    if found.op != "column":
        fault("raw 的参数要是列名", g.place)
    return Typed("raw", TEXT, value=found.value)


def _substr(t: Typing, g: Given) -> Typed:
    numbers = tuple(int(t.plain_number(v, "substr 的位置")) for v in g.values[1:])
    if numbers[0] < 1 or any(n < 0 for n in numbers):
        fault("substr 从 1 数起", g.place)
    return Typed("substr", TEXT, (t.text(g.values[0]),), value=numbers)


def _to_date(t: Typing, g: Given) -> Typed:
    return t.date(g.values[0])


def _days_between(t: Typing, g: Given) -> Typed:
    return Typed("days_between", INTEGER, (t.date(g.values[0]), t.date(g.values[1])))


def _in_codelist(t: Typing, g: Given) -> Typed:
    value, name, *key = g.values
    listed = t.plain_text(name, "代码表名")
    if listed not in t.tables.codelists:
        fault(f"没有代码表“{listed}”", g.place, "请在规则文件写 [[codelist]] name、codes 或 file。")
    if key and "key" not in t.tables.codelists[listed].columns:
        fault(f"代码表“{listed}”没有 key 列", g.place)
    return Typed("in_codelist", BOOLEAN, (t.text(value), *map(t.text, key)), value=listed)


def _over_rows(op: str) -> Handler:
    return lambda t, g: Typed(op, BOOLEAN, t.keys(g.values))


def _aggregate(t: Typing, g: Given) -> Typed:
    name, by = g.function.name, t.keys(g.by)
    form = Aggregate(name, len(by), t.skips(g))
    if name in ("any", "all", "exists_any", "exists_one"):
        return Typed("agg" if name in ("any", "all") else name, BOOLEAN, (t.condition(g.values[0]), *by), value=form)
    if name == "count":
        values = (t.of(g.values[0]),) if g.values else ()
        return Typed("agg", INTEGER, (*values, *by), value=form)
    if name == "n_distinct":
        return Typed("agg", INTEGER, (t.of(g.values[0]), *by), value=form)
    if name == "quantile":
        at = t.plain_number(g.values[1], "quantile 的第二个参数")
        if not 0 <= at <= 1:
            fault("分位数在 0 与 1 之间", g.place)
        return Typed(
            "agg", FLOAT, (as_float(t.number(g.values[0])), *by), value=Aggregate(name, len(by), form.skip, at)
        )
    if name == "mad":
        constant = t.plain_number(g.options["constant"], "constant") if "constant" in g.options else MAD_CONSTANT
        form = Aggregate(name, len(by), form.skip, constant)
    if name in ("max", "min"):
        value = t.of(g.values[0])
        if value.kind != DATE:
            value = t.number(g.values[0])
        return Typed("agg", value.kind, (value, *by), value=form)
    value = t.number(g.values[0])
    if name == "sum":
        return Typed("agg", value.kind, (value, *by), value=form)
    return Typed("agg", FLOAT, (value, *by), value=form)


def _cor(t: Typing, g: Given) -> Typed:
    pair = tuple(as_float(t.number(v)) for v in g.values)
    return Typed("agg", FLOAT, pair, value=Aggregate("cor", 0, t.skips(g)))


def _share(t: Typing, g: Given) -> Typed:
    value, by = t.number(g.values[0]), t.keys(g.by)
    total = Typed("agg", value.kind, (value, *by), value=Aggregate("sum", len(by), t.skips(g)))
    return Typed("div", FLOAT, (value, total))


def _top_share(t: Typing, g: Given) -> Typed:
    value, by = as_float(t.number(g.values[0])), t.keys(g.by)
    largest = t.plain_number(g.values[1], "top_share 的第二个参数")
    return Typed("agg", FLOAT, (value, *by), value=Aggregate("top_share", len(by), t.skips(g), largest))


def _rank(t: Typing, g: Given) -> Typed:
    by = t.keys(g.by)
    return Typed("rank", INTEGER, (t.number(g.values[0]), *by), value=Aggregate("rank", len(by)))


def _value_of(t: Typing, g: Given) -> Typed:
    value, by = t.of(g.values[0]), t.keys(g.by)
    return Typed(
        "value_of", value.kind, (value, t.condition(g.values[1]), *by), Aggregate("value_of", len(by)), value.roster
    )


def _lag(t: Typing, g: Given) -> Typed:
    if "order" not in g.options:
        fault("lag 要写 order = 排序的列", g.place, f"例如 {g.function.example}。")
    steps = int(t.plain_number(g.values[1], "lag 的第二个参数")) if len(g.values) > 1 else 1
    if steps < 1:
        fault("lag 的第二个参数从 1 起", g.place)
    order, by = t.of(g.options["order"]), t.keys(g.by)
    value = t.of(g.values[0])
    return Typed("lag", value.kind, (value, order, *by), Aggregate("lag", len(by), number=Decimal(steps)), value.roster)


def _score(op: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        by = t.keys(g.by)
        if op == "hb" and len(g.values) == 2:
            return Typed("hb_against", FLOAT, tuple(as_float(t.number(v)) for v in g.values))
        number = t.plain_number(g.values[1], "栅栏倍数") if len(g.values) > 1 else None
        kind = BOOLEAN if op == "within_fences" else FLOAT
        return Typed(op, kind, (as_float(t.number(g.values[0])), *by), value=Aggregate(op, len(by), number=number))

    return handler


def _hb(op: str) -> Handler:
    defaults = {"u": Decimal("0.5"), "a": Decimal("0.05"), "c": Decimal(4), "pct": Decimal("0.25")}

    def handler(t: Typing, g: Given) -> Typed:
        by = t.keys(g.by)
        given = {n: t.plain_number(g.options[n], n) if n in g.options else d for n, d in defaults.items()}
        pair = tuple(as_float(t.number(v)) for v in g.values)
        kind = FLOAT if op == "hb_effect" else BOOLEAN
        return Typed(op, kind, (*pair, *by), value=(len(by), *(given[n] for n in ("u", "a", "c", "pct"))))

    return handler


def _sequence(op: str) -> Handler:
    def handler(t: Typing, g: Given) -> Typed:
        ends = tuple(_place_in_sequence(t, g.options[n]) if n in g.options else None for n in ("begin", "end"))
        value = _place_in_sequence(t, g.values[0])
        by = t.keys(g.by)
        step = t.plain_number(g.options["step"], "step") if "step" in g.options else Decimal(1)
        args = (value, *(e for e in ends if e is not None), *by)
        return Typed(op, BOOLEAN, args, value=(len(by), ends[0] is not None, ends[1] is not None, step))

    return handler


def _place_in_sequence(t: Typing, node: Node) -> Typed:
    """A number, the day number of a date, or the number of a period."""
    found = t.of(node)
    if found.kind == DATE:
        return Typed("day_number", INTEGER, (found,))
    if found.kind == TEXT:
        return Typed("period_index", INTEGER, (t.text(node),))
    return t.number(node)


def _text_of(t: Typing, node: Node) -> Typed:
    found = t.of(node)
    return t.text(node) if found.kind == TEXT or found.op == "column" else Typed("as_text", TEXT, (found,))


def _concat(t: Typing, g: Given) -> Typed:
    return Typed("concat", TEXT, tuple(_text_of(t, v) for v in g.values))


CALLS: Calls = {
    "is_missing": _any_kind("isnull", BOOLEAN),
    "is_present": _any_kind("notnull", BOOLEAN),
    "is_complete": _any_kind("complete", BOOLEAN),
    "n_missing": _any_kind("n_missing", INTEGER),
    "nz": _nz,
    "coalesce": _coalesce,
    "abs": _same_number("abs"),
    "sign": _whole("sign"),
    "round": _round,
    "floor": _whole("floor"),
    "ceil": _whole("ceil"),
    "trunc": _whole("trunc"),
    "mod": _mod,
    **{n: _float(n) for n in ("pow", "sqrt", "exp", "log", "log10")},
    "max": _extreme,
    "min": _extreme,
    "in_range": _in_range,
    "length": _texts("length", INTEGER),
    "field_length": _field_length,
    "matches": _pattern_call("rx"),
    "field_format": _pattern_call("glob"),
    "number_format": _pattern_call("number"),
    "starts_with": _texts("starts_with", BOOLEAN),
    "ends_with": _texts("ends_with", BOOLEAN),
    "contains": _texts("contains", BOOLEAN),
    "substr": _substr,
    "upper": _texts("upper", TEXT),
    "lower": _texts("lower", TEXT),
    "trim": _texts("trim", TEXT),
    "concat": _concat,
    "number": _texts("to_number", FLOAT),
    "raw": _raw,
    "valid_uscc": _texts("valid_uscc", BOOLEAN),
    "date": _to_date,
    **{n: _date_part(n) for n in ("year", "quarter", "month", "day")},
    "days_between": _days_between,
    "period_index": _texts("period_index", INTEGER),
    "in_codelist": _in_codelist,
    "is_unique": _over_rows("is_unique"),
    "all_unique": _over_rows("all_unique"),
    "all_complete": _over_rows("all_complete"),
    **dict.fromkeys(
        ("count", "sum", "mean", "median", "quantile", "sd", "var", "mad", "n_distinct", "any", "all"), _aggregate
    ),
    "exists_any": _aggregate,
    "exists_one": _aggregate,
    "share": _share,
    "top_share": _top_share,
    "cor": _cor,
    "rank": _rank,
    "value_of": _value_of,
    "lag": _lag,
    **{n: _score(n) for n in ("z_score", "robust_z", "within_fences", "hb")},
    "hb_effect": _hb("hb_effect"),
    "hb_within": _hb("hb_within"),
    **{n: _sequence(n) for n in ("is_linear_sequence", "in_linear_sequence", "no_gaps")},
    **RELATION_CALLS,
}
"""Function → its meaning; one entry for every function of the vocabulary."""
