"""Disclosure control of marts: cells in, cells out with everything hidden that would show a single unit.

One door: ``protect`` for one mart, ``protect_jointly`` for all marts of a release, which hides the same cell in every
product. Source: survey_system.md 10, all nine points; design.md 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.methods.disclosure import attack, complement
from pipelines.methods.disclosure.assemble import assemble
from pipelines.methods.disclosure.atoms import (
    ATOM_COLUMNS,
    KEYS,
    Layout,
    atoms_of,
    canonical,
    equations,
    groups,
    merged,
)
from pipelines.methods.disclosure.rules import CONSENT_COLUMNS, REASONS, Rules, primary_reason
from pipelines.methods.disclosure.table import Equation
from schemas.errors import DefinitionError

COMPLEMENT = "complement"
VARIANT = "variant"
BAND = "band"
"""Role of a part of which a cell tells only between which bounds it leads: a level of warning."""
HIDDEN_NOTE = "为保护单个单位资料而不公布"
EARLIER_COLUMNS = {
    **{k: pl.String() for k in KEYS},
    "total": pl.Float64(),
    "hidden": pl.Boolean(),
    "reason": pl.String(),  # of REASONS; null where it was shown or only not published
}


@dataclass(frozen=True)
class Spec:
    """What ``protect`` goes by besides the figures.

    ``consents``: consents in force (``rules.consents_in_force``). ``earlier``: atoms of earlier releases
    (``Protected.published_atoms``), the oldest first; what they showed cannot be hidden any more, what they hid stays
    hidden while its value stands. ``changes``: (KEYS, n, max1, max2, total) of what units changed since the earlier release, from
    ``rules.contributions`` over the differences. ``without_parts``: what to do with a value that names no parts: "refuse"
    or "publish".
    """

    rules: Rules
    layout: Layout = field(default_factory=Layout)
    consents: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CONSENT_COLUMNS))
    earlier: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EARLIER_COLUMNS))
    changes: pl.DataFrame | None = None
    without_parts: str = "refuse"
    exact: bool | None = None


@dataclass(frozen=True)
class Protected:
    """Cells as they may be published, and the internal account of why.

    ``report``: (row_key, part, area, breakdown, category, kind primary or complement, reason, reason_text), one row a cause.
    ``atoms``: all atoms with ``reason``, ``hidden``. ``exposed``: atoms that stay within reach of an outsider although
    everything possible is hidden: a release must not go out while it is not empty. ``already_public``: atoms hidden now
    that an earlier release showed.
    """

    cells: pl.DataFrame
    report: pl.DataFrame
    atoms: pl.DataFrame
    exposed: pl.DataFrame
    already_public: pl.DataFrame
    summary: Mapping[str, int]

    @property
    def published_atoms(self) -> pl.DataFrame:
        """What this release shows and hides, to be kept for ``Spec.earlier`` of the next one."""
        return self.atoms.filter(variant=0).select(*EARLIER_COLUMNS)


def protect(cells: pl.DataFrame, parts: pl.DataFrame, spec: Spec) -> Protected:
    """``cells`` (schemas.marts.CELL_COLUMNS) with status C and no value wherever a figure may not be shown.

    Every part of a cell is judged, numerator and denominator for themselves; a cell is hidden if one of its parts is.
    Cells that stay keep their exact value. Raises DefinitionError for a value without parts (see ``Spec``).
    """
    mart = protect_jointly({"": (cells, parts)}, {"": spec.rules}, spec)
    return Protected(mart.cells.drop("mart"), mart.report, mart.atoms, mart.exposed, mart.already_public, mart.summary)


def protect_jointly(
    marts: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]], rules: Mapping[str, Rules], spec: Spec
) -> Protected:
    """All marts of a release in one go; ``rules`` gives each mart its thresholds, ``spec.rules`` the rest.

    The result's ``cells`` has a column ``mart``; everything else is as in ``protect``.
    """
    cells = pl.concat([c.with_columns(mart=pl.lit(name)) for name, (c, _) in marts.items()])
    rows = pl.concat(
        [
            atoms_of(
                c, p, spec.layout, least=rules[name].threshold, count_least=rules[name].count_threshold
            ).with_columns(mart=pl.lit(name))
            for name, (c, p) in marts.items()
        ]
    )
    _require_parts(cells, rows, spec)
    atoms, rows = merged(rows)
    judged = _judged(atoms, spec)
    judged, known = _with_earlier(judged, spec)
    found = groups(judged, spec.layout)
    equal, remainders, overlapping = equations(judged, found)
    table = assemble(judged, remainders, equal, spec.rules)
    pattern = complement.suppress(table, exact=spec.exact)
    judged = judged.with_columns(
        hidden=pl.Series(pattern.hidden[: judged.height], dtype=pl.Boolean) | pl.col("reason").is_not_null()
    )
    # Variants of one sum lie close to each other: one of them shown would estimate the hidden one.
    judged = judged.with_columns(hidden=(pl.col("hidden") & pl.col("shown")).any().over(KEYS) | pl.col("hidden"))
    judged = judged.with_columns(
        reason=pl.when(pl.col("hidden") & pl.col("shown"))
        .then(pl.coalesce("reason", pl.lit(COMPLEMENT)))
        .otherwise("reason")
    )
    exposed = _exposed(judged, pattern.exposed, equal)
    report = pl.concat([_report(rows, judged), _told_by_variants(rows, judged)]).unique(
        ["mart", "row_key", *KEYS], keep="first", maintain_order=True
    )
    summary = {
        "cells": cells.height,
        "values": int(cells["value"].is_not_null().sum()),
        "hidden": report.select("mart", "row_key").n_unique(),
        "primary_atoms": int(table.primary[: judged.height].sum()),
        "complement_atoms": judged.filter(reason=COMPLEMENT).height,
        "exact_parts": pattern.exact,
        "heuristic_parts": pattern.heuristic,
        "conflicting_atoms": judged.filter(pl.col("variant") > 0).height,
        "overlapping_totals": len(overlapping),
        "exposed": exposed.height,
        "earlier_atoms": known,
    }
    return Protected(
        _masked(cells, report),
        report,
        judged,
        exposed,
        judged.filter(pl.col("fixed") & pl.col("reason").is_not_null()).select(*KEYS, "n", "reason"),
        summary,
    )


def attacked(protected: Protected, spec: Spec) -> pl.DataFrame:
    """What an outsider works out of a protected release: (KEYS, reason, total, low, high, recovered) per hidden atom.

    ``recovered``: the whole interval lies within 10 % of the value, for a count within less than half a unit as well
    (reliability.md G18). Independent of how the pattern was chosen: it reads only what is published and what adds up.
    """
    atoms = protected.atoms.filter(pl.col("total").is_not_null())
    numbers = {old: new for new, old in enumerate(atoms["atom"])}
    found = [
        (numbers[t], [numbers[p] for p in parts if p in numbers])
        for t, parts in groups(protected.atoms, spec.layout)
        if t in numbers
    ]
    equal, remainders, _ = equations(atoms.with_columns(atom=pl.int_range(pl.len(), dtype=pl.Int64)), found)
    table = assemble(atoms, remainders, equal, spec.rules)
    hidden = np.concatenate([(atoms["hidden"] | ~atoms["shown"]).to_numpy(), np.ones(len(remainders), dtype=bool)])
    targets = np.flatnonzero(atoms["reason"].is_not_null().to_numpy() & ~atoms["fixed"].to_numpy())
    seen = attack.intervals(table, hidden, targets)
    bounds = pl.DataFrame(
        {"row": [i.cell for i in seen], "low": [i.low for i in seen], "high": [i.high for i in seen]},
        schema={"row": pl.Int64, "low": pl.Float64, "high": pl.Float64},
    )
    value = pl.col("total").abs()
    width = pl.max_horizontal(pl.col("high") - pl.col("total"), pl.col("total") - pl.col("low"))
    return (
        atoms.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
        .join(bounds, on="row")
        .with_columns(recovered=(width <= 0.1 * value) | (pl.col("is_count") & (width < 0.5)))
        .select(*KEYS, "reason", "total", "low", "high", "recovered")
    )


# -- steps --------------------------------------------------------------------------------------------------------------
def _require_parts(cells: pl.DataFrame, rows: pl.DataFrame, spec: Spec) -> None:
    if spec.without_parts == "publish":
        return
    bare = cells.filter(pl.col("value").is_not_null()).join(rows, on=["mart", "row_key"], how="anti")
    if bare.height:
        example = bare.row(0, named=True)
        raise DefinitionError(
            f"{bare.height} 个数据没有说明由哪些合计构成,不能作披露检验:{example['mart']} {example['row_key']}",
            remedy="请在构成表(PART_COLUMNS)中为每个数据列出分子、分母或合计。",
        )


def _judged(atoms: pl.DataFrame, spec: Spec) -> pl.DataFrame:
    named = spec.consents.select(
        pl.col("unit_id").alias("max1_unit"), pl.col("part").alias("agreed_part"), pl.col("area").alias("agreed_area")
    )
    agreed = (
        atoms.select("atom", "part", "area", "max1_unit")
        .join(named, on="max1_unit", how="inner")
        .filter(
            pl.col("agreed_part").is_in(["*"]) | (pl.col("agreed_part") == pl.col("part")),
            pl.col("agreed_area").is_in(["*"]) | (pl.col("agreed_area") == pl.col("area")),
        )["atom"]
        .unique()
    )
    size = pl.coalesce("absolute_total", pl.col("total").abs())
    return (
        atoms.with_columns(consented=pl.col("atom").is_in(agreed.to_list()), _total=pl.col("total"))
        .with_columns(total=pl.when(pl.col("is_count")).then("total").otherwise(size))
        .with_columns(reason=primary_reason(spec.rules))
        .with_columns(reason=pl.coalesce("reason", pl.col("reason").drop_nulls().first().over(KEYS)))
        .with_columns(total=pl.col("_total"), fixed=pl.col("administrative"))
        .drop("_total")
    )


def _with_earlier(atoms: pl.DataFrame, spec: Spec) -> tuple[pl.DataFrame, int]:
    """Atoms together with what earlier releases showed and hid (survey_system.md 10.5, 10.9).

    What was hidden as primary is primary again; what was hidden for the sake of others is only ``kept`` hidden. What no
    earlier release published binds nothing.
    """
    bare = atoms.with_columns(kept=pl.lit(False))
    if spec.earlier.height == 0:
        return bare, 0
    earlier = canonical(spec.earlier, spec.layout)
    joined = bare.join(_standing(atoms, earlier), on="atom", how="left", maintain_order="left")
    joined = joined.with_columns(
        reason=pl.when("was_primary").then(pl.coalesce("reason", pl.lit("earlier"))).otherwise("reason"),
        kept=pl.col("was_kept").fill_null(False),
        fixed=pl.col("fixed") | pl.col("was_shown").fill_null(False),
    ).drop("was_primary", "was_kept", "was_shown")
    joined = _with_revisions(joined, spec)
    gone = earlier.unique(list(KEYS), keep="last", maintain_order=True).join(atoms, on=list(KEYS), how="anti")
    new = gone.with_columns(
        fixed=~pl.col("hidden"),
        shown=pl.lit(False),
        kept=pl.lit(False),
        variant=pl.lit(0, dtype=pl.Int64),
        is_count=pl.col("part").str.contains(r"\bCOUNT\b"),
        administrative=pl.lit(False),
        consented=pl.lit(False),
        least=pl.lit(spec.rules.threshold, dtype=pl.Int64),
        population=pl.lit(0, dtype=pl.Int64),
        reason=pl.lit(None, dtype=pl.String),
    )
    new = new.with_columns(
        pl.lit(None, dtype=t).alias(c) for c, t in ATOM_COLUMNS.items() if c not in new.columns
    ).with_columns(atom=pl.int_range(pl.len(), dtype=pl.Int64) + atoms.height)
    return pl.concat([joined, new.select(joined.columns)]), new.height


def _standing(atoms: pl.DataFrame, earlier: pl.DataFrame) -> pl.DataFrame:
    """(atom, was_primary, was_kept, was_shown) of atoms whose value an earlier release had, shown or hidden, as it is now."""
    before = earlier.select(*KEYS, before="total", was_hidden="hidden", was_reason="reason")
    same = (pl.col("total") - pl.col("before")).abs() <= 1e-6 * pl.max_horizontal(pl.col("total").abs(), pl.lit(1e-9))
    reason = pl.col("was_reason")
    return (
        atoms.filter(variant=0)
        .select("atom", "total", *KEYS)
        .join(before, on=list(KEYS), how="inner")
        .filter(same)
        .group_by("atom")
        .agg(
            was_primary=(pl.col("was_hidden") & reason.is_not_null() & (reason != COMPLEMENT)).any(),
            was_kept=(pl.col("was_hidden") & (reason == COMPLEMENT)).any(),
            was_shown=(~pl.col("was_hidden")).any(),
        )
    )


def _with_revisions(atoms: pl.DataFrame, spec: Spec) -> pl.DataFrame:
    if spec.changes is None:
        return atoms
    changed = canonical(spec.changes, spec.layout).with_columns(
        least=pl.lit(spec.rules.threshold, dtype=pl.Int64),
        is_count=pl.lit(False),
        administrative=pl.lit(False),
        consented=pl.lit(False),
        population=pl.lit(0, dtype=pl.Int64),
    )
    sensitive = changed.with_columns(_rule=primary_reason(spec.rules)).filter(pl.col("_rule").is_not_null())
    return (
        atoms.join(sensitive.select(*KEYS, revised=pl.lit(True)), on=list(KEYS), how="left", maintain_order="left")
        .with_columns(
            reason=pl.when(pl.col("revised")).then(pl.coalesce("reason", pl.lit("revision"))).otherwise("reason")
        )
        .drop("revised")
    )


def _exposed(atoms: pl.DataFrame, found: tuple[int, ...], equal: list[Equation]) -> pl.DataFrame:
    """(KEYS, n, reason) of the atoms an outsider still reaches; an exposed remainder is named by the total it is part of."""
    rest = {e.parts[-1]: e.total for e in equal}
    named = [i for i in found if i < atoms.height]
    of_rest = [rest[i] for i in found if i >= atoms.height]
    direct = atoms.filter(pl.col("atom").is_in(named) & ~pl.col("fixed")).select(*KEYS, "n", "reason")
    left = atoms.filter(pl.col("atom").is_in(of_rest)).select(*KEYS, "n", reason=pl.lit("remainder"))
    return pl.concat([direct, left])


def _report(rows: pl.DataFrame, atoms: pl.DataFrame) -> pl.DataFrame:
    causes = atoms.filter(pl.col("hidden") & pl.col("shown")).select("atom", "reason")
    return (
        rows.filter(pl.col("shown"))
        .select("mart", "row_key", "atom", *KEYS)
        .join(causes, on="atom", how="inner")
        .with_columns(
            kind=pl.when(pl.col("reason") == COMPLEMENT).then(pl.lit(COMPLEMENT)).otherwise(pl.lit("primary")),
            reason_text=pl.col("reason").replace_strict(REASONS, default=""),
        )
        .select("mart", "row_key", *KEYS, "kind", "reason", "reason_text")
        .unique(maintain_order=True)
        .sort("mart", "row_key", "part")
    )


def _told_by_variants(rows: pl.DataFrame, atoms: pl.DataFrame) -> pl.DataFrame:
    """Rows of the report for cells that give a sum over all units but one or two, where the sum over all is shown as well.

    A ratio or growth runs over the units that reported both sides; with one side known, it gives the other, and less the published
    sum that leaves the figures of the few that are missing. Cells of two such sides give neither. A level of warning
    (role ``band``) gives no side.
    """
    main = atoms.filter(pl.col("variant") == 0, "shown").select(*KEYS, all_units="n")
    few = (
        atoms.filter(pl.col("variant") > 0, "shown", ~pl.col("administrative"), ~pl.col("is_count"))
        .join(main, on=list(KEYS), how="inner", nulls_equal=True)
        .filter((pl.col("all_units") - pl.col("n")).is_between(1, pl.col("least") - 1))
        .select("atom")
    )
    found = rows.filter("shown", pl.col("role") != BAND).join(few, on="atom", how="inner")
    alone = found.filter(pl.col("atom").n_unique().over("mart", "row_key") == 1)
    return (
        alone.with_columns(kind=pl.lit("primary"), reason=pl.lit(VARIANT), reason_text=pl.lit(REASONS[VARIANT]))
        .select("mart", "row_key", *KEYS, "kind", "reason", "reason_text")
        .unique(maintain_order=True)
        .sort("mart", "row_key", "part")
    )


def _masked(cells: pl.DataFrame, report: pl.DataFrame) -> pl.DataFrame:
    hidden = report.select("mart", "row_key").unique().with_columns(_hidden=pl.lit(True))
    marked = cells.join(hidden, on=["mart", "row_key"], how="left", maintain_order="left")
    gone = pl.col("_hidden").fill_null(False)
    # The note goes too: it may say why a figure moved, which is a figure.
    return marked.with_columns(
        value=pl.when(gone).then(None).otherwise("value"),
        status=pl.when(gone).then(pl.lit("C")).otherwise("status"),
        note=pl.when(gone).then(pl.lit(HIDDEN_NOTE)).otherwise("note"),
    ).drop("_hidden")
