"""What a park would fill in: the panel turned into the figures of every form of one round, and the park's own forms.

The area totals of 2014 are the published ones of the plan's box 专栏1; zone shares are fixed, and the last zone takes the
remainder, so that sums come out exactly. Other years grow from there.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

import polars as pl

from schemas.catalog import register_of_parks
from schemas.model import Edition, Programme
from schemas.observations import KEY_COLUMNS
from schemas.period import Period
from ytb.demo.panel import QUARTER_SHARE, ZONES, Panel

SHARES = {"LBXQ": Decimal("0.22"), "LBGX": Decimal("0.38"), "LBJJ": Decimal("0.25"), "LBBY": Decimal("0.15")}

# Area totals of 2014: amounts in 万元 so that the printed ratios of 专栏1 come out exactly.
AREA_2014 = {
    "K04": Decimal("5524000"),  # 552.4 亿元
    "K26": Decimal("127052"),  # 2.3 % of K04
    "K21": Decimal("900000"),
    "K22": Decimal("8100"),  # 0.9 % of K21
    "K44": Decimal("2400000"),
    "K29": Decimal("448800"),  # 18.7 % of K44
    "K30": Decimal("823076"),  # 14.9 % of K04
    "K27": Decimal("6300"),  # 63 per 10,000 of K28
    "K28": Decimal("1000000"),
    "K33": Decimal("11987080"),  # 2.17 × K04
    "K02": Decimal("480"),
    "K03": Decimal("9600"),
    "K18": Decimal("3200000"),
    "K19": Decimal("2100000"),
    "K20": Decimal("620000"),
    "K23": Decimal("780000"),
    "K24": Decimal("4100000"),
    "K25": Decimal("1900000"),
    "K32": Decimal("2600000"),
    "K34": Decimal("12000"),
    "K11": Decimal("42"),
    "K12": Decimal("186"),
}
# K29 / K31 = 26.6 万元/人 has no whole number of people at 448,800: 16,872 people give 26.600 to three digits.
AREA_2014["K31"] = Decimal("16872")
PATENTS_2014, CONTRACTS_2014 = 660, 2_400_000  # 6.6 per 10,000 people; 24 亿元 in 千元
TENANTS_2014, INCUBATORS_2014 = 2886, 31

FLOWS = frozenset(
    ["K04", "K18", "K19", "K20", "K21", "K22", "K23", "K24", "K25", "K26", "K29", "K30", "K32", "K33", "K34", "K44"]
)
GROWTH = {
    2013: Decimal("0.90"),
    2014: Decimal(1),
    2015: Decimal("1.092"),
    2016: Decimal("1.188"),
    2024: Decimal("2.41"),
    2025: Decimal("2.56"),
}
FORM_FIGURES = ["B01", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B11", "B12", "B15", "B16", "B19", "B28", "B30"]


def split(total: Decimal, places: int) -> dict[str, Decimal]:
    """``total`` over the zones by their shares, rounded to ``places``; the last zone takes the remainder."""
    step = Decimal(1).scaleb(-places)
    parts = {zone: (total * share).quantize(step) for zone, share in list(SHARES.items())[:-1]}
    return {**parts, ZONES[-1]: total - sum(parts.values(), Decimal(0))}


class Figures:
    """The figures of every park and period of one demo."""

    def __init__(self, programme: Programme, panel: Panel, counts: dict[str, int]) -> None:
        self.programme, self.panel, self.counts = programme, panel, counts

    @lru_cache(maxsize=8)  # noqa: B019 - one demo, a handful of years
    def year(self, year: int) -> pl.DataFrame:
        """All enterprise figures of a year, calibrated where 专栏1 fixes a sum; ``park`` as of that year."""
        frame = self.panel.of(year)
        zones = list(ZONES)
        moved = pl.col("zone").replace_strict(dict(zip(zones, zones[1:] + zones[:1], strict=True)))
        subs = register_of_parks(self.programme).filter(kind="sub_park").group_by("zone", maintain_order=True).first()
        first_sub = dict(subs.select("zone", "code").iter_rows())
        division = dict(subs.select("zone", "division_code").iter_rows())
        is_moved = pl.col("moves") & (pl.lit(year) >= 2016)
        frame = frame.with_columns(park=pl.when(is_moved).then(moved).otherwise("zone"))
        frame = frame.with_columns(
            B05=pl.when(is_moved).then(pl.col("park").replace_strict(first_sub)).otherwise("B05"),
            B06=pl.when(is_moved).then(pl.col("park").replace_strict(division)).otherwise("B06"),
        ).with_columns(B06=pl.when(pl.col("B06") == "620100").then(pl.lit("620105")).otherwise("B06"))
        return _calibrated(frame) if year >= 2014 else frame

    def enterprises(self, park: str, period: Period) -> dict[str, pl.DataFrame]:
        """Form code → frame with ``unit_id``, the codes asked, and ``<code>_yoy`` where the form has the column."""
        edition = self.programme.edition_for(period)
        now = _quarterly(self.year(period.year), period).filter(park=park)
        before = _quarterly(self.year(max(period.year - 1, 2013)), period.year_earlier())
        wide = _attributes(now, period, self._edition_time(period))
        return {
            form.code: _form_frame(edition, form.code, wide, before, period)
            for form in edition.forms.values()
            if form.roster == "enterprise" and form.asked(period)
        }

    def _edition_time(self, period: Period) -> bool:
        return period.year >= 2023

    def sheet(self, park: str, period: Period) -> dict[str, object]:
        """The park's own form: K code → value; ``<code>_yoy`` where asked."""
        values = self._park_year(park, period.year, period)
        before = self._park_year(park, period.year - 1, period.year_earlier())
        edition = self.programme.edition_for(period)
        form = edition.forms["park"]
        found: dict[str, object] = {i.code: values[i.code] for i in form.asked(period) if i.code in values}
        return found | {f"{i.code}_yoy": before[i.code] for i in form.with_year_earlier(period) if i.code in before}

    def _park_year(self, park: str, year: int, period: Period) -> dict[str, object]:
        factor = GROWTH.get(year) or GROWTH[min(GROWTH, key=lambda y: abs(y - year))]
        part = Decimal(str(QUARTER_SHARE[period.quarter - 1])) if period.quarter else Decimal(1)
        values: dict[str, Any] = {}
        stocks = {"K02", "K03", "K28", "K31", "K27", "K11", "K12"}
        form = self.programme.edition_for(period).forms["park"]
        places = {i.code: i.decimals for i in form.indicators}
        for code, total in AREA_2014.items():
            grown = (
                total
                if code in ("K02", "K28")
                else total * (factor if code not in ("K03", "K31", "K27") else (1 + (factor - 1) / 3))
            )
            amount = grown * (part if code in FLOWS and code not in stocks else 1)
            share = split(amount.quantize(Decimal(1).scaleb(-places[code])), places[code])[park]
            values[code] = share if places[code] else int(share)
        firms = self.year(max(year, 2013)).filter(park=park)
        # No zone collects less tax, or creates fewer jobs, than its own enterprises state.
        taxes = -(-int(_quarterly(firms, period)["F16"].sum()) // 10)
        values["K23"] = max(values["K23"], Decimal(taxes).quantize(Decimal(1).scaleb(-places["K23"])))
        values["K34"] = max(values["K34"], int(firms["P03"].sum()))
        values |= {
            "K01": "1",
            "K43": {"LBGX": "2"}.get(park, "3"),
            "K42": Decimal("36.50"),
            "K05": firms.height + self.counts.get("unlisted", 0),
            "K06": int(firms["industrial"].sum()),
            "K07": int(firms["B11"].sum()),
            "K08": int((firms["B12"].dt.year() == year).sum()) + 2,
            "K09": int(firms["B16"].sum()),
            "K10": int(_tech_sme(firms, year).sum()),
        }
        return values

    def incubators(self, park: str, period: Period) -> pl.DataFrame:
        """31 incubators over the zones, 2,886 tenants in 2014."""
        per_zone = [int(v) for v in split(Decimal(INCUBATORS_2014), 0).values()]
        zone = ZONES.index(park)
        tenants = int(list(split(Decimal(TENANTS_2014), 0).values())[zone] * GROWTH.get(period.year, Decimal(1)))
        n = per_zone[zone]
        share = [tenants // n + (1 if k < tenants % n else 0) for k in range(n)]
        part = QUARTER_SHARE[period.quarter - 1] if period.quarter else 1
        return pl.DataFrame(
            {
                "unit_id": [f"{park}-F{k:02d}" for k in range(n)],
                "H01": [f"{park}-F{k:02d}" for k in range(n)],
                "H02": [f"示例孵化器{park}{k:02d}" for k in range(n)],
                "H03": [str(1 + k % 2) for k in range(n)],
                "H04": [str(1 + k % 3) for k in range(n)],
                "H05": [Decimal(18000 + 900 * k) for k in range(n)],
                "H06": share,
                "H07": [int(s * 0.2 * part) for s in share],
                "H08": [s // 12 for s in share],
                "H09": [s // 12 * max(period.year - 2009, 1) for s in share],
                "H10": [s * 7 for s in share],
                "H11": [None] * n,
                "H12": [4 + k % 5 for k in range(n)],
            },
            schema_overrides={"H11": pl.String, "H05": pl.Decimal(18, 2)},
        )

    def projects(self, park: str, period: Period) -> pl.DataFrame:
        """Six investment projects a zone, signed in 2013, moving on from quarter to quarter."""
        quarters = (period.year - 2014) * 4 + (period.quarter or 4)
        rows = []
        for k in range(6):
            state = 0 if k == 5 else min(4, 1 + (quarters + k) // 4)
            agreed = Decimal(20000 + 5000 * k)
            share = min(Decimal(1), Decimal("0.08") * (quarters + k))
            rows.append(
                {
                    "unit_id": f"{park}-P{k:02d}",
                    "J01": f"{park}-P{k:02d}",
                    "J02": str(1 + k % 4),
                    "J03": None if state == 0 else date(2013, 1 + k, 15),
                    "J04": agreed,
                    "J05": agreed * min(Decimal(1), share * Decimal("1.05")),
                    "J06": agreed * share,
                    "J07": state >= 2,
                    "J08": state >= 3,
                    "J09": state >= 4,
                    "J10": "9",
                    "J11": Decimal(60 + 10 * k),
                    "J12": None,
                    "J13": None,
                    "J14": str(state),
                    "J15": None,
                }
            )
        money = pl.Decimal(18, 2)
        return pl.DataFrame(
            rows,
            schema_overrides={
                "J03": pl.Date,
                "J04": money,
                "J05": money,
                "J06": money,
                "J11": money,
                "J12": pl.String,
                "J13": pl.String,
                "J15": pl.String,
            },
        )

    def tasks(self, park: str, period: Period) -> pl.DataFrame:
        """The plan's tasks, dealt out over the zones; progress grows by a fixed share of the target every quarter."""
        edition = self.programme.edition_for(period)
        own = [t for t in edition.targets if t.plan_id == "LB" and t.tracking == "task_register" and t.target_value]
        quarters = max((period.year - 2015) * 4 + (period.quarter or 4), 0)
        rows = []
        for target in own[ZONES.index(park) :: len(ZONES)]:
            step = Decimal(str(target.target_value)) / 24
            done = (step * quarters).quantize(Decimal("0.0001"))
            rows.append(
                {
                    "unit_id": f"{target.row_no}|", "K39": str(target.row_no), "K40": done, "G01": "LB", "G02": target.unit_measure,
                    "G03": step.quantize(Decimal("0.0001")) if quarters else Decimal(0), "G04": "园区管委会", "G05": "进展情况报告" if quarters else None, "G06": None,
                }
            )  # fmt: skip
        four = pl.Decimal(18, 4)
        return pl.DataFrame(rows, schema_overrides={"K40": four, "G03": four, "G05": pl.String, "G06": pl.String})


def _tech_sme(firms: pl.DataFrame, year: int) -> pl.Series:
    # The register of technology SMEs began in 2017.
    small = (firms["P01"] <= 400) & (firms["F01"] <= 150_000) & (firms["F22"] <= 150_000) & (firms["rd_cost"] > 0)
    return small if year >= 2017 else pl.Series([False] * firms.height, dtype=pl.Boolean)


def _calibrated(frame: pl.DataFrame) -> pl.DataFrame:
    """Inventions in force and contract values scaled so that the area sums of 2014 are the published ones."""
    year = int(frame["year"][0])
    if year != 2014:
        factor = {2015: 1.06, 2016: 1.13}.get(year, 1.6)
        return _contracts(_scaled(frame, "I08", round(PATENTS_2014 * factor)), round(CONTRACTS_2014 * factor))
    return _contracts(_scaled(frame, "I08", PATENTS_2014), CONTRACTS_2014)


def _scaled(frame: pl.DataFrame, code: str, total: int) -> pl.DataFrame:
    """Whole numbers in proportion to ``patents`` that add up to ``total``: largest remainders, ties by credit code."""
    weights = frame["patents"].to_list()
    whole = sum(weights)
    exact = [w * total / whole for w in weights]
    floors = [int(x) for x in exact]
    order = sorted(range(len(exact)), key=lambda k: (floors[k] - exact[k], k))
    for k in order[: total - sum(floors)]:
        floors[k] += 1
    values = pl.Series(code, floors, dtype=pl.Int64)
    return frame.with_columns(values).with_columns(
        I07=pl.max_horizontal(pl.col("I07"), pl.col(code) * 2 + pl.col("B16").cast(pl.Int64))
    )


def _contracts(frame: pl.DataFrame, total: int) -> pl.DataFrame:
    with_contracts = frame["I16"].to_list()
    whole = sum(with_contracts)
    values = [c * total // whole for c in with_contracts]
    first = next(k for k, c in enumerate(with_contracts) if c)
    values[first] += total - sum(values)
    return frame.with_columns(pl.Series("I17", values, dtype=pl.Int64))


CUMULATIVE = [
    "F01",
    "F03",
    "F13",
    "F15",
    "F16",
    "F21",
    "O01",
    "O11",
    "O12",
    "V01",
    "V02",
    "L01",
    "L02",
    "I17",
    "I16",
    "rd_cost",
]


def _quarterly(frame: pl.DataFrame, period: Period) -> pl.DataFrame:
    if period.quarter is None:
        return frame
    share = QUARTER_SHARE[period.quarter - 1]
    # Preliminary fourth-quarter figures differ a little from the final annual ones.
    share = share if period.quarter < 4 else 0.994
    whole = [c for c in CUMULATIVE if frame.schema[c].is_integer()]
    decimal = [c for c in CUMULATIVE if frame.schema[c].is_float()]
    scaled = frame.with_columns(
        *((pl.col(c) * share).round(0).cast(pl.Int64) for c in whole if c != "I16"),
        *((pl.col(c) * share).round(2) for c in decimal),
    )
    return scaled.with_columns(
        I16=pl.when(pl.col("I17") > 0)
        .then(pl.max_horizontal(pl.lit(1), (pl.col("I16") * share).floor().cast(pl.Int64)))
        .otherwise(0),
        O11=pl.max_horizontal("O11", "O12"),
    )


def _attributes(now: pl.DataFrame, period: Period, newer: bool) -> pl.DataFrame:
    year = period.year
    product, process, cooperates = pl.col("product"), pl.col("process"), pl.col("cooperates")
    asked = pl.when(pl.col("P02") >= 10)
    cert = pl.col("cert_year") + 3 * ((year - pl.col("cert_year")) // 3)

    def flag(answer: pl.Expr) -> pl.Expr:
        return asked.then(answer)

    has_research = pl.col("B16") | pl.col("industrial") | (pl.col("rd_cost") > 0)
    research = [c for c in now.columns if c.startswith("R") and len(c) == 3]
    obstacles = {f"N{n}": flag(pl.lit(str(n % 4))) for n in range(32, 40)}
    effects = {f"N{n}": asked.then(pl.when(product | process).then(pl.lit(str(1 + n % 3)))) for n in range(40, 45)}
    partners = {f"N{n}": flag(pl.lit(n in (25, 27)) & cooperates) for n in range(24, 32)}
    processes = {
        f"N{n:02d}": flag(process if n in (9, 11) else process & product if n in (13, 15) else pl.lit(False))
        for n in range(9, 16)
    }
    return now.with_columns(
        unit_id=pl.col("B01"),
        B03=pl.lit(str(period).replace("-", "")),
        B04=pl.col("park"),
        B08=pl.col("B08_new") if newer else pl.col("B08"),
        B13=pl.col("B12"),
        B14=pl.col("B14").cast(pl.Decimal(18, 2)),
        B15=pl.lit("1"),
        B17=pl.when("B16").then(pl.concat_str(pl.lit("GR"), cert.cast(pl.String), pl.col("B01").str.slice(9, 6))),
        B18=pl.when("B16").then(pl.date(cert, 9, 15)),
        B19=_tech_sme(now, year),
        B20=pl.col("B16") & (pl.col("patents") > 9),
        B21=pl.lit("0"),
        B22=pl.lit("0"),
        B23=pl.col("patents") > 11,
        B24=pl.lit("0"),
        B25=pl.lit(None, dtype=pl.Date),
        B26=pl.when("incubated").then(pl.lit("1")).otherwise(pl.lit("0")),
        B29=pl.when("industrial").then("B29"),
        B30=pl.lit("统计员 0931-0000000"),
    ).with_columns(
        *(
            pl.when("industrial").then(pl.col(c)).alias(c)
            for c in ("O01", "O02", "O04", "O17", "O18")
            if c in now.columns
        ),
        *(pl.when(has_research).then(pl.col(c)).alias(c) for c in research),
        *(pl.when("B11").then(pl.col(c)).alias(c) for c in ("L01", "L02", "L04")),
        *(pl.when("industrial").then(pl.col(c)).alias(c) for c in ("L05", "L06", "L10")),
        *(asked.then(pl.col(c)).alias(c) for c in ("N19", "N20", "N21", "N22")),
        *(asked.then(pl.when("product").then(pl.col(c))).alias(c) for c in ("N05", "N06", "N07")),
        L08=pl.when("industrial").then(pl.lit("2")),
        L09=pl.when("industrial").then(pl.when("B11").then(pl.lit("2")).otherwise(pl.lit("0"))),
        N01=flag(product & pl.col("industrial")),
        N02=flag(product & ~pl.col("industrial")),
        N03=flag(product & pl.col("B16")),
        N04=flag(product),
        N08=asked.then(pl.when(product).then(pl.lit("1"))),
        N16=asked.then(pl.when(process).then(pl.lit("1"))),
        N17=flag(pl.col("B16")),
        N18=flag(pl.lit(False)),
        N23=flag(cooperates),
        N45=flag(pl.when("B16").then(pl.lit("1")).otherwise(pl.lit("0"))),
        F07=pl.when(pl.lit(newer)).then("rd_cost"),
        F06=pl.when(pl.lit(newer)).then("overhead").otherwise(pl.col("overhead") + pl.col("rd_cost")),
        **obstacles,
        **effects,
        **partners,
        **processes,
    )


def _form_frame(edition: Edition, code: str, wide: pl.DataFrame, before: pl.DataFrame, period: Period) -> pl.DataFrame:
    form = edition.forms[code]
    asked = [i for i in form.asked(period) if i.code in wide.columns]
    frame = wide.select("unit_id", *(pl.col(i.code).cast(i.dtype, strict=False) for i in asked))
    restated = [i for i in form.with_year_earlier(period) if i.code in before.columns]
    if restated:
        base = before.select(
            pl.col("B01").alias("unit_id"),
            *(pl.col(i.code).cast(i.dtype, strict=False).alias(f"{i.code}_yoy") for i in restated),
        )
        frame = frame.join(base, on="unit_id", how="left", maintain_order="left")
        # What does not apply now has no figure of the year before either; entrants restate nothing as zero.
        frame = frame.with_columns(
            pl.when(pl.col(i.code).is_not_null()).then(pl.col(f"{i.code}_yoy").fill_null(0)).alias(f"{i.code}_yoy")
            for i in restated
        )
    return frame.filter(pl.any_horizontal(pl.exclude("unit_id").is_not_null()))


def as_observation_frame(frame: pl.DataFrame, park: str) -> pl.DataFrame:
    """Form figures with the key columns an observation has, without addresses."""
    keys = {
        "park": pl.lit(park),
        "_file": pl.lit(None, dtype=pl.String),
        "_sheet": pl.lit(None, dtype=pl.String),
        "_row": pl.lit(None, dtype=pl.Int64),
    }
    return frame.with_columns(**keys).select(*KEY_COLUMNS, pl.exclude(*KEY_COLUMNS))
