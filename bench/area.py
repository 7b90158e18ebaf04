"""Made-up areas to measure the store on: the demo's province, and a nation of 178 parks cut from the same cloth.

A nation is drawn in blocks of four parks, each block a panel of its own seed, so that growth, entries, exits and the
identities of the forms hold as in the demo; only credit codes, park codes and sub-parks are rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

import polars as pl

from bench.books import forms_of
from schemas.catalog import programme
from schemas.model import Programme
from schemas.observations import Observations, frame_columns
from schemas.period import Period
from ytb.demo.figures import GROWTH, Figures, as_observation_frame
from ytb.demo.panel import ENTERPRISES, ZONES, Size, draw
from ytb.demo.run import AREA, CONTEXT_2014, PRICES

LAST_YEAR = 2015
# Everything the second quarter of a year and the year itself look back at; third quarters would only take time.
ROUNDS = tuple(
    Period.parse(p) for p in ("2014-Q1", "2014-Q2", "2014-Q4", "2014", "2015-Q1", "2015-Q2", "2015-Q4", "2015")
)
QUARTER, YEAR = Period.parse("2015-Q2"), Period.parse("2015")
NATION, PROVINCES = "QGGX", 30


@dataclass(frozen=True)
class Scale:
    """How many parks, and enterprises in four of them together (design.md section 10)."""

    parks: int
    enterprises_of_four: int


SCALES = {
    "small": Scale(4, 4 * 50),
    "province": Scale(4, ENTERPRISES),
    "nation": Scale(178, 4 * 1300),
}


@dataclass(frozen=True)
class Block:
    """Four zones of the panel and the parks they stand for."""

    figures: Figures
    parks: dict[str, str]

    @property
    def is_shipped(self) -> bool:
        """Whether the parks are the four of the shipped register, sub-parks and all."""
        return all(zone == park for zone, park in self.parks.items())


class Area:
    """Programme, units and figures of one scale; the same for the same seed."""

    def __init__(self, scale: Scale, seed: int = 2014) -> None:
        self.scale, self.seed = scale, seed
        self.programme = with_parks(programme(), scale.parks)
        self.codes = park_codes(scale.parks)

    def blocks(self) -> Iterator[Block]:
        """All enterprises, four parks at a time."""
        for n, first in enumerate(range(0, self.scale.parks, len(ZONES))):
            # The last block may have fewer parks than zones: the zones left over are drawn and not used.
            parks = dict(zip(ZONES, self.codes[first : first + len(ZONES)], strict=False))
            yield Block(self._drawn(n), parks)

    @lru_cache(maxsize=1)  # noqa: B019 - one area, one block after the other
    def _drawn(self, block: int) -> Figures:
        size = self.scale.enterprises_of_four
        panel = draw(self.programme, Size.of(size), LAST_YEAR, self.seed + block, first_serial=block * 2 * size)
        return Figures(self.programme, panel, {})


def park_codes(parks: int) -> list[str]:
    """The four zones of the shipped register, then made-up ones."""
    return [*ZONES, *(f"QG{n:03d}" for n in range(parks - len(ZONES)))]


def with_parks(of: Programme, parks: int) -> Programme:
    """The programme with a register of so many zones: thirty provinces, and the nation they add up to."""
    if parks == len(ZONES):
        return of
    listed = of.codelists["parks"]
    provinces = [f"SF{n:02d}" for n in range(PROVINCES)]
    rows = [{"code": NATION, "name": "示例全国", "short_name": "示例全国", "kind": "area"}]
    rows += [{"code": code, "name": f"示例省{code[2:]}", "kind": "area"} for code in provinces]
    rows += [
        {
            "code": code,
            "name": f"示例高新区{code[2:]}",
            "kind": "zone",
            "groups": f"{NATION};{provinces[n % PROVINCES]}",
        }
        for n, code in enumerate(park_codes(parks)[len(ZONES) :])
    ]
    more = pl.DataFrame([{c: row.get(c, "") for c in listed.rows.columns} for row in rows], schema=listed.rows.schema)
    own = listed.rows.with_columns(
        groups=pl.when(pl.col("code").is_in(ZONES))
        .then(pl.concat_str("groups", pl.lit(f";{NATION}")))
        .otherwise("groups")
    )
    return replace(of, codelists={**of.codelists, "parks": replace(listed, rows=pl.concat([own, more]))})


def observations_of(block: Block, zone: str, period: Period) -> Observations:
    """What the park that ``zone`` stands for reports."""
    park = block.parks[zone]
    edition = block.figures.programme.edition_for(period)
    frames = {}
    for code, frame in forms_of(block.figures, zone, period).items():
        if not block.is_shipped:
            frame = _renamed(frame, zone, park)
        types = frame_columns(edition.forms[code])
        frames[code] = as_observation_frame(frame.cast({c: types[c] for c in frame.columns}), park)
    return Observations(frames)


def _renamed(frame: pl.DataFrame, zone: str, park: str) -> pl.DataFrame:
    """Park and sub-park codes, also where they begin the code of an incubator or project."""
    named = [c for c in ("unit_id", "B04", "H01", "J01") if c in frame.columns]
    frame = frame.with_columns(pl.col(c).cast(pl.String).str.replace(f"^{zone}", park) for c in named)
    return frame.with_columns(B05=pl.lit(None, dtype=pl.String)) if "B05" in frame.columns else frame


def context_of(of: Programme, year: int) -> Observations:
    """The province's own form: totals of province and cities, price indices."""
    form = of.edition_for(Period(year)).forms["context"]
    rows = []
    for area, values in CONTEXT_2014.items():
        own: dict[str, object] = {c: _grown(v, year) for c, v in values.items()}
        own |= {"unit_id": f"{area}|{year}", "Y01": area, "Y02": year, "Y03": "示例"}
        if area == "620000":
            own |= dict(zip(("K50", "K51", "K52"), map(Decimal, PRICES[year]), strict=True))
        rows.append(own)
    asked = {i.code: i.dtype for i in form.asked(Period(year))}
    frame = pl.DataFrame(rows, infer_schema_length=None)
    typed = frame.select("unit_id", *(pl.col(c).cast(t) for c, t in asked.items() if c in frame.columns))
    return Observations({"context": as_observation_frame(typed, AREA)})


def _grown(value: int | Decimal, year: int) -> int | Decimal:
    grown = value * GROWTH[year]
    return int(grown) if isinstance(value, int) else grown.quantize(Decimal("0.01"))
