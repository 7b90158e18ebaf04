"""A synthetic panel of enterprises: skewed sizes, consistent with every audit rule, with entries, exits and moves.

Everything is drawn once from a seeded generator; figures of a year follow from latent traits of the firm, so that growth,
structure and accounting identities hold by construction. No real enterprise is used: credit codes are made up with valid
check characters.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from schemas.catalog import register_of_parks
from schemas.model import Programme
from schemas.uscc import check_character, organisation_check_character

Ints: TypeAlias = Any  # npt.NDArray[np.int64]; numpy keeps no element type through these steps
Rate: TypeAlias = Any  # a share, or one share a firm
Columns: TypeAlias = dict[str, Any]

ZONES = ("LBXQ", "LBGX", "LBJJ", "LBBY")
FIRST_YEAR = 2013
QUARTER_SHARE = (0.22, 0.47, 0.73, 1.0)

# Shares of the enterprise population, from the plan's own counts (列入规划的 4,674 家、工业 1,793 家、规上 485 家、高企 166 家).
ENTERPRISES, INDUSTRIAL, ABOVE_SCALE, HNTE = 4674, 1793, 485, 166

INDUSTRY_CLASSES = (
    "2511",
    "2614",
    "2710",
    "2720",
    "3011",
    "3216",
    "3311",
    "3421",
    "3511",
    "3612",
    "3821",
    "3921",
    "4011",
)
SERVICE_CLASSES = ("5161", "5471", "6311", "6450", "6513", "6540", "7212", "7241", "7320", "7481", "7511", "7520")


@dataclass(frozen=True)
class Size:
    """How many enterprises of each kind the whole area has."""

    enterprises: int
    industrial: int
    above_scale: int
    hnte: int

    @classmethod
    def of(cls, enterprises: int) -> Size:
        """The published proportions for any number of enterprises; exact at 4,674."""
        share = enterprises / ENTERPRISES
        return cls(enterprises, round(INDUSTRIAL * share), round(ABOVE_SCALE * share), round(HNTE * share))


def credit_code(serial: int, division: str) -> str:
    """A made-up unified social credit code with both check characters right (GB 32100, GB 11714)."""
    body = f"{90_000_000 + serial:08d}"
    seventeen = f"91{division}{body}{organisation_check_character(body)}"
    return seventeen + check_character(seventeen)


@dataclass(frozen=True)
class Panel:
    """``firms``: one row an enterprise with its traits; ``years``: one row an enterprise and year with all figures."""

    firms: pl.DataFrame
    years: pl.DataFrame

    def of(self, year: int) -> pl.DataFrame:
        """All figures of the enterprises alive in ``year``, joined with their traits, ordered by credit code."""
        return self.years.filter(year=year).join(self.firms, on="B01").sort("B01")


def draw(programme: Programme, size: Size, last_year: int, seed: int, first_serial: int = 0) -> Panel:
    """The panel from 2013 (only the base of growth) to ``last_year``; made-up credit codes count from ``first_serial``."""
    rng = np.random.default_rng(seed)
    firms = _firms(programme, size, last_year, rng, first_serial)
    rows = [
        _year(firms, year, rng_year)
        for year, rng_year in zip(range(FIRST_YEAR, last_year + 1), rng.spawn(last_year - FIRST_YEAR + 1), strict=True)
    ]
    return Panel(firms, pl.concat(_linked(rows)))


def _classes(programme: Programme, wanted: tuple[str, ...]) -> list[str]:
    valid = programme.codelists["gbt4754_class4"].rows["code"].to_list()
    # A class that the code list writes otherwise is replaced by the first one of its division.
    return [c if c in valid else next(v for v in valid if v[:2] == c[:2]) for c in wanted]


def _firms(
    programme: Programme, size: Size, last_year: int, rng: np.random.Generator, first_serial: int
) -> pl.DataFrame:
    industrial_classes, service_classes = _classes(programme, INDUSTRY_CLASSES), _classes(programme, SERVICE_CLASSES)
    years = last_year - 2014
    entrants = max(len(ZONES), round(size.enterprises * 0.02)) * max(years, 0)
    n = size.enterprises + entrants
    index = np.arange(n)
    in_base = index < size.enterprises
    industrial = np.where(in_base, index < size.industrial, rng.random(n) < 0.3)
    above = np.where(in_base, index < size.above_scale, False)
    zone = np.array(ZONES)[index % len(ZONES)]
    parks = register_of_parks(programme)
    sub = {z: parks.filter((pl.col("zone") == z) & (pl.col("kind") == "sub_park")) for z in ZONES}
    division: list[str] = []
    sub_code: list[str] = []
    for k, z in enumerate(zone):
        row = sub[z].row(int(rng.integers(sub[z].height)), named=True)
        sub_code.append(row["code"])
        code = row["division_code"]
        division.append("620105" if code == "620100" else code)
        del k
    order = np.arange(n)
    # High-tech enterprises: spread over large industrial firms and services alike.
    hnte = np.zeros(n, dtype=bool)
    stride = max(1, size.enterprises // max(size.hnte, 1))
    hnte[np.arange(size.hnte) * stride] = True
    entry_year = np.where(in_base, 2013, 2015 + (order - size.enterprises) % max(years, 1))
    exits = in_base & ~above & ~hnte & (rng.random(n) < 0.02 * max(years, 0))
    exit_year = np.where(exits, 2015 + rng.integers(0, max(years, 1), n), 9999)
    moves = in_base & ~above & ~exits & (rng.random(n) < 0.004) & (years > 0)
    founded = np.where(in_base, rng.integers(1996, 2013, n), entry_year)
    log_revenue = np.where(
        above,
        rng.normal(11.6, 1.1, n).clip(10.4, 16.5),
        np.where(industrial, rng.normal(8.6, 0.6, n).clip(7.0, 9.55), rng.normal(8.8, 1.2, n).clip(6.5, 14.0)),
    )
    return pl.DataFrame(
        {
            "B01": [credit_code(first_serial + int(i), division[int(i)]) for i in index],
            "B02": [_name(first_serial + int(i), bool(industrial[i])) for i in index],
            "zone": zone,
            "B05": sub_code,
            "B06": division,
            "B07": [
                (industrial_classes if industrial[i] else service_classes)[
                    int(rng.integers(13 if industrial[i] else 12))
                ]
                for i in index
            ],
            "B08": [("173", "159", "160", "151")[int(v)] for v in rng.choice(4, n, p=[0.6, 0.25, 0.1, 0.05])],
            "B08_new": [("112", "119", "129", "111")[int(v)] for v in rng.choice(4, n, p=[0.6, 0.25, 0.1, 0.05])],
            "B09": [("3", "1", "2", "9")[int(v)] for v in rng.choice(4, n, p=[0.7, 0.15, 0.05, 0.1])],
            "B11": above,
            "B12": [
                date(int(y), 1 + int(m), 1 + int(d))
                for y, m, d in zip(founded, rng.integers(0, 12, n), rng.integers(0, 28, n), strict=True)
            ],
            "B16": hnte,
            "B28": [str(v) if v < 9 else "0" for v in rng.integers(1, 18, n)],
            "B29": [("1", "2")[int(v)] for v in rng.integers(0, 2, n)],
            "industrial": industrial,
            "entry_year": entry_year,
            "exit_year": exit_year,
            "moves": moves,
            "cert_year": 2012 + rng.integers(0, 3, n),
            "log_revenue": log_revenue,
            "growth": rng.normal(0.07, 0.05, n).clip(-0.08, 0.22),
            "cost": rng.uniform(0.70, 0.84, n),
            "asset": rng.uniform(0.9, 1.5, n),
            "debt": rng.uniform(0.30, 0.62, n),
            "per_head": rng.uniform(260, 900, n),
            "wage": rng.uniform(45, 85, n),
            "tech": rng.uniform(0.02, 0.20, n),
            "new": rng.uniform(0.0, 0.35, n) * (rng.random(n) < 0.5),
            "export": rng.uniform(0.01, 0.20, n) * (rng.random(n) < 0.25),
            "rd": np.where(hnte, rng.uniform(0.038, 0.06, n), rng.uniform(0.006, 0.02, n) * (rng.random(n) < 0.35)),
            "energy": rng.uniform(0.02, 0.12, n),
            "patents": np.where(hnte, rng.integers(2, 14, n), rng.integers(0, 2, n)),
            "contracts": np.where(rng.random(n) < np.where(hnte, 0.8, 0.08), rng.integers(1, 9, n), 0),
            "invests": rng.random(n) < 0.3,
            "venture": rng.random(n) < 0.03,
            "incubated": ~above & ~hnte & (rng.random(n) < 0.04),
        }
    )


def _name(serial: int, industrial: bool) -> str:
    places = ["陇原", "河川", "兰山", "金城", "白塔", "祁连", "皋兰", "黄河", "铜城", "银滩"]
    words = ["恒通", "瑞丰", "华泰", "德润", "宏远", "启明", "众信", "联创", "博雅", "东岳", "西源", "嘉禾"]
    trade = (
        ["装备制造", "新材料", "化工", "生物制药", "电气", "机械"]
        if industrial
        else ["信息技术", "科技服务", "商贸", "物流", "工程设计", "检测"]
    )
    return f"示例{places[serial % 10]}{words[serial // 10 % 12]}{trade[serial // 120 % 6]}有限公司{serial:04d}"


def _i(values: Any) -> Ints:
    return np.rint(values).astype(np.int64)


def _year(firms: pl.DataFrame, year: int, rng: np.random.Generator) -> pl.DataFrame:
    alive = firms.filter((pl.col("entry_year") <= max(year, 2013)) & (pl.col("exit_year") > year))
    if year == FIRST_YEAR:
        alive = firms.filter(pl.col("entry_year") == 2013)
    f = {name: alive[name].to_numpy() for name in alive.columns if alive[name].dtype not in (pl.String, pl.Date)}
    n = alive.height
    out: Columns = {"B01": alive["B01"], "year": np.full(n, year)}
    age = year - np.maximum(f["entry_year"], 2013)
    revenue = _i(np.exp(f["log_revenue"] + f["growth"] * age + rng.normal(0, 0.015, n)))
    revenue = np.where(
        f["B11"], np.maximum(revenue, 24_000), np.where(f["industrial"], np.minimum(revenue, 18_900), revenue)
    )
    # Dozens in even years, dozens and a half in odd ones: no firm reports the very figures of the year before, not even
    # those of a quarter, rounded.
    revenue = revenue // 12 * 12 + year % 2 * 6
    _finance(out, f, revenue, n)
    _people(out, f, revenue)
    _operations(out, f, revenue)
    _research(out, f, revenue)
    _property(out, f, year)
    _innovation(out, f)
    _energy(out, f, rng.uniform(0.98, 1.02, n))
    return pl.DataFrame(out)


def _finance(out: Columns, f: Columns, revenue: Any, n: int) -> None:

    def share(rate: Rate) -> Ints:
        return _i(revenue * rate)

    rd_cost = share(f["rd"] * 0.9)
    out |= {
        "F01": revenue,
        "F02": share(0.95),
        "F03": share(f["cost"]),
        "F04": share(0.008),
        "F05": share(0.025),
        "rd_cost": rd_cost,
    }
    overhead = share(0.045)
    out |= {"overhead": overhead, "F08": share(0.009), "F09": share(0.002)}
    operating = revenue - out["F03"] - out["F04"] - out["F05"] - overhead - rd_cost - out["F08"] + out["F09"]
    out |= {"F10": operating, "F11": share(0.003), "F12": share(0.001)}
    profit = operating + out["F11"] - out["F12"]
    tax = _i(np.maximum(profit, 0) * 0.15)
    out |= {"F13": profit, "F14": tax, "F15": profit - tax, "F17": share(0.028), "F18": _i(tax * 0.9)}
    out["F16"] = out["F17"] + out["F18"] + share(0.006)
    out |= {"F19": share(0.012), "F20": np.where(rd_cost > 0, share(0.004), 0)}
    assets = _i(revenue * f["asset"]) + 500
    debts = _i(assets * f["debt"])
    out |= {
        "F22": assets,
        "F25": debts,
        "F26": assets - debts,
        "F23": _i(assets * 0.46),
        "F24": _i(assets * 0.31),
        "F28": _i(assets * 0.11),
    }
    out |= {"F27": np.where(f["venture"], _i(assets * 0.06), 0), "F29": _i(assets * 0.025)}
    out |= {"V01": np.where(f["invests"], _i(assets * 0.05), 0)}
    out["V02"] = _i(out["V01"] * 0.4)
    out["V03"] = out["V01"] * 3 + _i(assets * 0.2)
    out["B14"] = np.maximum(10, _i(assets * 0.02))
    del n


def _people(out: Columns, f: Columns, revenue: Any) -> None:
    heads = np.maximum(4, _i(revenue / f["per_head"]))

    def part(rate: Rate) -> Ints:
        return np.floor(heads * rate).astype(np.int64)

    out |= {
        "P01": heads,
        "P02": heads,
        "F21": _i(heads * f["wage"]),
        "P03": part(0.06),
        "P04": part(0.004),
        "P05": part(0.001),
    }
    doctors, masters = part(np.where(f["B16"], 0.01, 0.0)), part(np.where(f["B16"], 0.06, 0.01))
    out |= {
        "P07": doctors,
        "P08": masters,
        "P06": doctors + masters,
        "P09": part(np.where(f["B16"], 0.35, 0.18)),
        "P10": part(0.25),
    }
    skilled = part(0.3)
    out |= {
        "P11": skilled,
        "P12": np.floor(skilled * 0.03).astype(np.int64),
        "P13": np.floor(skilled * 0.1).astype(np.int64),
    }
    professional = part(0.25)
    out |= {"P14": professional, "P15": np.floor(professional * 0.2).astype(np.int64)}


def _operations(out: Columns, f: Columns, revenue: Any) -> None:

    def share(rate: Rate) -> Ints:
        return _i(revenue * rate)

    technology = np.where(f["B16"], share(np.maximum(f["tech"], 0.1)), share(f["tech"] * 0.3))
    products = np.where(
        f["industrial"], _i((revenue - technology) * 0.9), np.where(f["B16"], _i((revenue - technology) * 0.7), 0)
    )
    goods = _i((revenue - technology - products) * 0.6)
    out |= {"O06": technology, "O07": products, "O09": goods, "O10": revenue - technology - products - goods}
    value_added = out["F21"] + out["F04"] + out["F17"] + out["F29"] + out["F10"] - out["F09"]
    output = _i(revenue * 1.02)
    out |= {"O03": value_added, "O01": output, "O02": np.clip(value_added, _i(output * 0.08), _i(output * 0.6))}
    new_sales = _i(revenue * f["new"])
    out |= {
        "O05": new_sales,
        "O04": _i(new_sales * 1.01),
        "O08": np.where(f["B16"], _i((technology + products) * 0.9), _i((technology + products) * 0.2)),
    }
    exports = share(f["export"])
    out |= {
        "O12": exports,
        "O11": exports + share(f["export"] * 0.4),
        "O13": _i(exports * 0.4),
        "O14": _i(exports * 0.05),
    }
    out |= {"O15": np.where(f["industrial"], technology, technology + goods), "O16": share(0.05)}
    machines = np.maximum(2, _i(revenue / 4000))
    out |= {"O17": machines, "O18": _i(machines * 0.3)}


def _research(out: Columns, f: Columns, revenue: Any) -> None:
    total = out["rd_cost"]

    def part(rate: Rate) -> Ints:
        return np.floor(total * rate).astype(np.int64)

    heads = out["P01"]
    staff = np.where(total > 0, np.maximum(np.ceil(heads * np.where(f["B16"], 0.13, 0.04)).astype(np.int64), 1), 0)
    fte = np.floor(staff * 0.7 * 10) / 10
    # Labour cost follows the people, as far as the total allows; the rest is direct input.
    labour = np.minimum(part(0.8), _i(fte * f["wage"] * 1.4))
    rest = {
        "R07": part(0.05),
        "R08": part(0.01),
        "R09": part(0.02),
        "R10": part(0.02),
        "R11": part(0.06),
        "R16": part(0.01),
    }
    out |= {
        "R01": staff,
        "R02": np.floor(staff * 0.8).astype(np.int64),
        "R03": fte,
        "R04": total,
        "R05": labour,
        **rest,
    }
    out["R06"] = total - labour - sum(rest.values())
    outside = rest["R11"]
    out |= {
        "R12": np.floor(outside * 0.3).astype(np.int64),
        "R13": np.floor(outside * 0.3).astype(np.int64),
        "R14": np.floor(outside * 0.2).astype(np.int64),
        "R15": np.zeros_like(outside),
    }
    intramural = part(0.85)
    basic, applied = np.floor(intramural * 0.02).astype(np.int64), np.floor(intramural * 0.1).astype(np.int64)
    state = np.floor(intramural * 0.06).astype(np.int64)
    out |= {
        "R17": intramural,
        "R18": basic,
        "R19": applied,
        "R20": intramural - basic - applied,
        "R21": state,
        "R22": intramural - state,
        "R23": np.zeros_like(state),
    }
    units = (total > 0).astype(np.int64)
    out |= {
        "R24": units,
        "R25": np.zeros_like(units),
        "R26": units * f["B16"],
        "R27": np.zeros_like(units),
        "R28": _i(revenue * 0.002),
        "R29": np.zeros_like(units),
        "R30": np.zeros_like(units),
        "R31": np.zeros_like(units),
    }


def _property(out: Columns, f: Columns, year: int) -> None:
    patents = f["patents"].astype(np.int64)
    stock = patents * (year - 2008) // 3
    inventions = stock // 3
    applied, granted = patents, (patents * 2) // 3
    out |= {
        "I01": applied,
        "I02": applied // 3,
        "I03": np.zeros_like(applied),
        "I04": granted,
        "I05": granted // 4,
        "I06": np.zeros_like(applied),
    }
    out |= {
        "I07": np.where(f["B16"], np.maximum(stock, 1), stock),
        "I08": inventions,
        "I09": np.zeros_like(applied),
        "I10": np.zeros_like(applied),
    }
    out |= {
        "I11": patents // 2 + 1,
        "I12": np.zeros_like(applied),
        "I13": patents // 2,
        "I14": np.zeros_like(applied),
        "I15": (patents > 9).astype(np.int64),
    }
    contracts = f["contracts"].astype(np.int64)
    out |= {
        "I16": contracts,
        "I17": contracts * _i(400 * (1.1 ** (year - 2014)) * np.ones(len(contracts))),
        "I18": (patents > 12).astype(np.int64),
        "I19": (patents > 10).astype(np.int64),
    }


def _innovation(out: Columns, f: Columns) -> None:
    revenue, new_sales, rd = out["F01"], out["O05"], out["R04"]
    product = new_sales > 0
    process = (rd > 0) | (f["patents"] > 0)
    market = np.round(100 * new_sales / np.maximum(revenue, 1) * 0.4).clip(0, 90)
    firm = np.round(100 * new_sales / np.maximum(revenue, 1) * 0.6).clip(0, 90)
    out |= {
        "product": product,
        "process": process,
        "N05": np.where(product, market, 0.0),
        "N06": np.where(product, firm, 0.0),
    }
    out["N07"] = 100.0 - out["N05"] - out["N06"]
    equipment = _i(rd * 0.3)
    out |= {"N19": equipment, "N20": _i(rd * 0.05), "N21": _i(rd * 0.1)}
    out["N22"] = rd + out["N19"] + out["N20"] + out["N21"]
    out["cooperates"] = f["B16"] | (f["patents"] > 1)


def _energy(out: Columns, f: Columns, noise: Any) -> None:
    output = out["O01"]
    coal = np.round(output * f["energy"] * noise, 2)
    out |= {"L01": coal, "L02": np.round(coal * 0.3, 2), "L04": np.round(coal * 2.46, 2)}
    waste = np.round(output * 0.004, 2)
    out |= {
        "L05": waste,
        "L06": np.round(waste * 0.6, 2),
        "L10": np.zeros(len(waste)),
        "L07": np.round(np.maximum(output / 3.0, 200), 2),
    }


def _linked(years: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Average staff lies between the ends of the year: (last year's end + this year's end) / 2."""
    linked = [years[0]]
    for earlier, this in itertools.pairwise(years):
        last = earlier.select("B01", start="P01")
        joined = this.join(last, on="B01", how="left").with_columns(
            P02=((pl.col("P01") + pl.col("start").fill_null(pl.col("P01"))) // 2)
        )
        linked.append(joined.drop("start").select(this.columns))
    return linked
