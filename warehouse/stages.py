"""What a stage holds of one form and period: counts and a content hash, never a figure."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import polars as pl

from schemas.model import Programme
from schemas.observations import ADDRESS_COLUMNS
from warehouse.facts import STAGES, columns_of

_NOT_FILLED_IN = frozenset(("park", "unit_id", *ADDRESS_COLUMNS))


@dataclass(frozen=True)
class StageProfile:
    """``filled``: share of the cells of the period's indicators that hold something, None without rows. ``by_park``:
    park, submissions, rows."""

    rows: int
    parks: int
    submissions: int
    filled: float | None
    sha256: str
    by_park: pl.DataFrame


def stage_profile(
    con: duckdb.DuckDBPyConnection,
    programme: Programme,
    stage: str,
    form: str,
    period: str,
    asked: tuple[str, ...] = (),
) -> StageProfile:
    """The profile of ``<stage>.<form>`` in one period. ``asked``: the codes whose cells count as to be filled in.

    The hash is that of the sorted rows: equal for equal content, whatever the order of loading.
    """
    if stage not in STAGES:
        raise ValueError(stage)
    known = columns_of(programme, form)
    codes = [c for c in (asked or known) if c in known and c not in _NOT_FILLED_IN]
    table, where = f'{stage}."{form}"', {"period": period}
    filled = " + ".join(f'count("{c}")' for c in codes) or "0"
    row = con.sql(
        f"""SELECT count(*), count(DISTINCT park), count(DISTINCT submission_id), {filled},
        sha256(coalesce(string_agg(line, '' ORDER BY line), ''))
        FROM (SELECT *, md5(to_json(t)::VARCHAR) AS line FROM {table} t WHERE period = $period)""",
        params=where,
    ).fetchone()
    by_park = con.sql(
        f"""SELECT park, count(DISTINCT submission_id)::BIGINT AS submissions, count(*)::BIGINT AS rows
        FROM {table} WHERE period = $period GROUP BY park ORDER BY park""",
        params=where,
    ).pl()
    rows, parks, submissions, cells, digest = row or (0, 0, 0, 0, "")
    share = cells / (rows * len(codes)) if rows and codes else None
    return StageProfile(rows, parks, submissions, share, digest, by_park)
