"""The definition of a composite index as data: hierarchy, and the method of every step. Format: docs/formats/index-system.md."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from pipelines.methods.index.benefit_of_doubt import check_share_bounds
from pipelines.methods.index.preference_flows import check_preference
from pipelines.methods.index.steps import (
    AGGREGATIONS,
    IMPUTATIONS,
    NORMALISATIONS,
    OUTLIERS,
    POWERS,
    PREFERENCES,
    WEIGHTINGS,
    Options,
    Step,
)
from schemas.errors import DefinitionError

Where = Callable[[str, str], str]  # (key, value) → "file:line" of the entry; ("[table]", "") → of a table

ORDERS: Final = ("borda", "copeland", "kemeny", "outranking")
USUAL: Final = Step("usual")


@dataclass(frozen=True)
class Leaf:
    """One indicator: where its figures stand and how they become a score."""

    id: str
    name: str
    parent: str
    column: str
    unit_measure: str
    direction: int  # 1: more is better, -1: less is better
    weight: float | None
    denominator: str
    factor: float
    imputation: Step
    outliers: Step
    normalisation: Step
    preference: Step = USUAL
    place: str = ""  # file and line of its definition, for complaints


@dataclass(frozen=True)
class Group:
    """One node above the indicators; ``parent`` is empty for the root. ``children`` are ids in written order."""

    id: str
    name: str
    parent: str
    weight: float | None
    weights: Step
    aggregation: Step
    children: tuple[str, ...]
    place: str = ""  # file and line of its definition, for complaints

    @property
    def power(self) -> float:
        """Exponent of the generalised mean: 1 arithmetic, 0 geometric, -1 harmonic."""
        named = POWERS.get(self.aggregation.method)
        return self.aggregation.number("power") if named is None else named

    @property
    def is_best_case(self) -> bool:
        """Whether every unit has its own weights, chosen for it: benefit of the doubt."""
        return self.weights.method == "benefit_of_doubt"

    @property
    def floor(self) -> float | None:
        """What a score not above it counts as in the mean; None for an arithmetic mean, which takes every score as it is."""
        return None if self.power == 1.0 or self.is_best_case else self.aggregation.number("floor")


@dataclass(frozen=True)
class ScoringSystem:
    """A checked index definition. ``groups`` are ordered children first, so the root is last."""

    id: str
    title: str
    unit_column: str
    name_column: str
    class_column: str
    year_column: str
    leaves: tuple[Leaf, ...]
    groups: tuple[Group, ...]
    rank_within_class: bool
    minimum_class_size: int
    tie_decimals: int
    decimals: int
    orders: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    uncertainty: Mapping[str, Any]
    own_weights: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)  # section → file and line, for complaints

    @property
    def root(self) -> Group:
        """The index itself."""
        return self.groups[-1]

    @cached_property
    def position(self) -> dict[str, int]:
        """Column of every indicator in the value matrices."""
        return {leaf.id: k for k, leaf in enumerate(self.leaves)}

    @cached_property
    def by_id(self) -> dict[str, Group]:
        """Groups by id."""
        return {group.id: group for group in self.groups}

    def leaves_below(self, node: str) -> tuple[int, ...]:
        """Columns of the indicators under a group, or the column of an indicator."""
        if node in self.position:
            return (self.position[node],)
        return tuple(k for child in self.by_id[node].children for k in self.leaves_below(child))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Ids of all groups and indicators."""
        return (*self.by_id, *self.position)

    def name_of(self, node: str) -> str:
        """The printed name of a group or indicator."""
        return self.by_id[node].name if node in self.by_id else self.leaves[self.position[node]].name

    @property
    def files(self) -> frozenset[str]:
        """Expert files the weights are read from."""
        return frozenset(str(g.weights.options["file"]) for g in self.groups if "file" in g.weights.options)


def parse_system(data: Mapping[str, Any], where: Where) -> ScoringSystem:
    """The system a definition describes. Raises DefinitionError with place and remedy for the first thing wrong in it."""
    columns = data.get("data", {})
    defaults = {
        kind: _step(data.get(kind, {"method": method}), kind, table, where(f"[{kind}]", ""))
        for kind, table, method in (
            ("imputation", IMPUTATIONS, "none"),
            ("outliers", OUTLIERS, "none"),
            ("normalisation", NORMALISATIONS, "minmax"),
            ("weights", WEIGHTINGS, "given"),
            ("aggregation", AGGREGATIONS, "arithmetic"),
            ("preference", PREFERENCES, USUAL.method),
        )
    }
    leaves = tuple(_leaf(entry, defaults, where) for entry in data.get("indicator", ()))
    groups = _groups(data.get("group", ()), leaves, defaults, where)
    ranking, compare = data.get("ranking", {}), data.get("compare", {})
    system = ScoringSystem(
        id=str(data.get("id", "index")),
        title=str(data.get("title", data.get("id", "index"))),
        unit_column=str(columns.get("unit", "unit")),
        name_column=str(columns.get("name", "")),
        class_column=str(columns.get("class", "")),
        year_column=str(columns.get("year", "")),
        leaves=leaves,
        groups=groups,
        rank_within_class=ranking.get("within") == "class",
        minimum_class_size=int(ranking.get("minimum_class_size", 1)),
        tie_decimals=int(ranking.get("tie_decimals", 6)),
        decimals=int(ranking.get("decimals", 2)),
        orders=tuple(ranking.get("orders", ())),
        pairs=tuple((str(a), str(b)) for a, b in compare.get("pairs", ())),
        uncertainty=dict(data.get("uncertainty", {})),
        own_weights={kind: data.get("own_weights", {}).get(kind, {}) for kind in ("by_unit", "by_class")},
        places={name: where(f"[{name}]", "") for name in ("ranking", "own_weights", "compare", "uncertainty")},
    )
    _check_own_weights(system, float(data.get("own_weights", {}).get("maximum_shift", 10.0)), where)
    if system.rank_within_class and not system.class_column:
        raise DefinitionError('ranking.within = "class" 需要 [data] 中的 class 列', where=system.places["ranking"])
    if wrong := set(system.orders) - set(ORDERS):
        raise DefinitionError(
            f"ranking.orders 不认识 {'、'.join(sorted(wrong))}",
            where=system.places["ranking"],
            remedy=f"可用:{'、'.join(ORDERS)}。",
        )
    return system


def _step(entry: Mapping[str, Any], kind: str, table: Mapping[str, Options], place: str) -> Step:
    method = str(entry.get("method", ""))
    if method not in table:
        raise DefinitionError(f"{kind} 的方法“{method}”不存在", where=place, remedy=f"可用:{'、'.join(table)}。")
    options = {name: value for name, value in entry.items() if name != "method"}
    if unknown := options.keys() - table[method].keys():
        known = "、".join(sorted(table[method])) or "没有选项"
        raise DefinitionError(
            f"{kind}={method} 没有选项 {'、'.join(sorted(unknown))}", where=place, remedy=f"可用:{known}。"
        )
    return Step(method, options)


def _leaf(entry: Mapping[str, Any], defaults: Mapping[str, Step], where: Where) -> Leaf:
    code, place = str(entry["id"]), where("id", str(entry["id"]))

    def step(kind: str, table: Mapping[str, Options]) -> Step:
        return _step(entry[kind], kind, table, place) if kind in entry else defaults[kind]

    leaf = Leaf(
        id=code,
        name=str(entry.get("name", code)),
        parent=str(entry["parent"]),
        column=str(entry.get("column", code)),
        unit_measure=str(entry.get("unit_measure", "")),
        direction=-1 if entry.get("direction", "positive") == "negative" else 1,
        weight=None if "weight" not in entry else float(entry["weight"]),
        denominator=str(entry.get("denominator", "")),
        factor=float(entry.get("factor", 1.0)),
        imputation=step("imputation", IMPUTATIONS),
        outliers=step("outliers", OUTLIERS),
        normalisation=step("normalisation", NORMALISATIONS),
        preference=step("preference", PREFERENCES),
        place=place,
    )
    check_preference(leaf.preference, f"指标 {code}", place)
    _check_normalisation(leaf, place)
    return leaf


def _check_normalisation(leaf: Leaf, place: str) -> None:
    step = leaf.normalisation
    if step.method in ("goalposts", "efficacy"):
        posts = (
            [step.options, *step.options.get("by_class", {}).values()]
            if "worst" in step.options
            else [*step.options.get("by_class", {}).values()]
        )
        if not posts:
            raise DefinitionError(
                f"指标 {leaf.id} 的目标柱缺 worst 和 best", where=place, remedy="写明不容许值与满意值。"
            )
        for post in posts:
            if "worst" not in post or "best" not in post or (post["best"] - post["worst"]) * leaf.direction <= 0:
                raise DefinitionError(
                    f"指标 {leaf.id} 的目标柱不合方向:worst={post.get('worst')},best={post.get('best')}",
                    where=place,
                    remedy="正向指标 best 应大于 worst,负向指标相反。",
                )
    if step.method in ("minmax", "goalposts") and step.number("low") >= step.number("high"):
        raise DefinitionError(f"指标 {leaf.id} 的 low 应小于 high", where=place, remedy="不写时为 0 与 100。")
    if step.method == "difference" and step.limit("scale", 0.0) <= 0:
        raise DefinitionError(f"指标 {leaf.id} 用 difference 须给出大于 0 的 scale", where=place)
    if step.method == "distance_to_target" and step.limit("target", 0.0) <= 0:
        raise DefinitionError(f"指标 {leaf.id} 用 distance_to_target 须给出大于 0 的 target", where=place)


def _groups(
    entries: Sequence[Mapping[str, Any]], leaves: Sequence[Leaf], defaults: Mapping[str, Step], where: Where
) -> tuple[Group, ...]:
    ids = [str(e["id"]) for e in entries] + [leaf.id for leaf in leaves]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise DefinitionError(f"代码重复:{'、'.join(twice)}", where=where("id", twice[0]), remedy="每个代码只用一次。")
    parents = {str(e["id"]): str(e.get("parent", "")) for e in entries}
    roots = [i for i, parent in parents.items() if not parent]
    if len(roots) != 1:
        raise DefinitionError(
            f"应恰有一个没有 parent 的 [[group]],现有 {len(roots)} 个", where=where("id", (roots or [""])[0])
        )
    children: dict[str, list[str]] = {i: [] for i in parents}
    for node, parent in [*parents.items(), *((leaf.id, leaf.parent) for leaf in leaves)]:
        if parent and parent not in children:
            raise DefinitionError(f"{node} 的上级 {parent} 不存在", where=where("id", node), remedy="请改 parent。")
        if parent:
            children[parent].append(node)
    order = _children_first(roots[0], children)
    if lost := parents.keys() - set(order):
        raise DefinitionError(f"{'、'.join(sorted(lost))} 不在总指数之下(上级成环)", where=where("id", min(lost)))
    if empty := sorted(i for i, below in children.items() if not below):
        raise DefinitionError(
            f"{'、'.join(empty)} 之下没有指标", where=where("id", empty[0]), remedy="请删去或补上指标。"
        )
    by_id = {str(e["id"]): e for e in entries}
    groups = tuple(_group(by_id[i], tuple(children[i]), defaults, where) for i in order)
    _check_weights(groups, leaves, where)
    return groups


def _children_first(root: str, children: Mapping[str, list[str]]) -> list[str]:
    ordered: list[str] = []

    def visit(node: str) -> None:
        for child in children[node]:
            if child in children:
                visit(child)
        ordered.append(node)

    visit(root)
    return ordered


def _group(entry: Mapping[str, Any], below: tuple[str, ...], defaults: Mapping[str, Step], where: Where) -> Group:
    code, place = str(entry["id"]), where("id", str(entry["id"]))

    def step(kind: str, table: Mapping[str, Options]) -> Step:
        return _step(entry[kind], kind, table, place) if kind in entry else defaults[kind]

    aggregation = step("aggregation", AGGREGATIONS)
    if aggregation.method == "power" and "power" not in aggregation.options:
        raise DefinitionError(f"{code} 按 power 合成,须给出 power", where=place, remedy="幂次,如 power = 2。")
    if aggregation.options.get("missing") == "base" and aggregation.method != "arithmetic":
        raise DefinitionError(f"{code} 的 missing=base 只能与算术合成同用", where=place)
    group = Group(
        id=code,
        name=str(entry.get("name", code)),
        parent=str(entry.get("parent", "")),
        weight=None if "weight" not in entry else float(entry["weight"]),
        weights=step("weights", WEIGHTINGS),
        aggregation=aggregation,
        children=below,
        place=place,
    )
    if group.floor is not None and group.floor <= 0:
        raise DefinitionError(
            f"{code} 的 floor 为 {group.floor:g},应大于 0",
            where=place,
            remedy="几何、调和与幂平均只认正数,不写时为 0.01。",
        )
    if group.weights.method in ("budget", "ahp") and "file" not in group.weights.options:
        raise DefinitionError(
            f"{code} 的 {group.weights.method} 权重须给出 file", where=place, remedy="写明专家文件的路径。"
        )
    if group.weights.method == "target_importance":
        aims = group.weights.effective["importance"] or {}
        strange = sorted(set(aims) - set(below))
        if strange or (aims and sum(float(aims.get(c, 1.0)) for c in below) <= 0):
            raise DefinitionError(
                f"{code} 的 importance {'写了不在该组的 ' + '、'.join(strange) if strange else '合计应大于 0'}",
                where=place,
                remedy=f"该组下级:{'、'.join(below)}。",
            )
    if group.is_best_case:
        _check_best_case(group)
    return group


def _check_best_case(group: Group) -> None:
    if group.aggregation.method != "arithmetic" or group.aggregation.options.get("missing") == "base":
        raise DefinitionError(
            f"{group.id} 用 benefit_of_doubt,只能算术合成,missing 不能是 base",
            where=group.place,
            remedy='请给该组写 aggregation = { method = "arithmetic" }。',
        )
    check_share_bounds(group.weights, group.children, group.id, group.place)


def _check_weights(groups: Collection[Group], leaves: Sequence[Leaf], where: Where) -> None:
    given = {g.id: g.weight for g in groups} | {leaf.id: leaf.weight for leaf in leaves}
    for group in groups:
        if group.weights.method not in ("given", "combined"):
            continue
        missing = [i for i in group.children if given[i] is None]
        if missing:
            raise DefinitionError(
                f"{group.id} 按给定权重合成,但 {'、'.join(missing)} 没有 weight",
                where=where("id", missing[0]),
                remedy="请补上 weight,或给该组另定 weights。",
            )
        if any((given[i] or 0.0) < 0 for i in group.children) or not sum(given[i] or 0.0 for i in group.children) > 0:
            raise DefinitionError(f"{group.id} 的权重不能为负,合计须大于 0", where=where("id", group.id))


def _check_own_weights(system: ScoringSystem, shift: float, where: Where) -> None:
    """Own weights name every child of the index, sum to 100 and stay within ``shift`` points of the common ones."""
    children = system.root.children
    given = {g.id: g.weight for g in system.groups} | {leaf.id: leaf.weight for leaf in system.leaves}
    total = sum(given[c] or 0.0 for c in children)
    for kind, entries in system.own_weights.items():
        for name, weights in entries.items():
            place = f"own_weights.{kind}.{name}"
            if system.root.weights.method != "given" or set(weights) != set(children):
                raise DefinitionError(
                    f"{place} 应写明 {'、'.join(children)} 的权重,且总指数用给定权重", where=where("id", system.root.id)
                )
            if abs(sum(weights.values()) - 100.0) > 1e-9:
                raise DefinitionError(
                    f"{place} 的权重合计应为 100,现为 {sum(weights.values()):g}",
                    where=system.places["own_weights"],
                    remedy="请改权重。",
                )
            for child in children:
                common = (given[child] or 0.0) / total * 100.0
                if abs(weights[child] - common) > shift + 1e-9:
                    raise DefinitionError(
                        f"{place} 的 {child} 为 {weights[child]:g},与通用权重 {common:g} 相差超过 {shift:g}",
                        where=system.places["own_weights"],
                        remedy="请改权重,或改 maximum_shift。",
                    )
