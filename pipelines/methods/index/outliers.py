"""Outlier treatment 极端值处理: winsorising by skewness and kurtosis, logarithms, Box-Cox; every changed cell is recorded.

Source: OECD/JRC Handbook (2008) step 3 and the practice of the JRC's Competence Centre on Composite Indicators as
documented in COINr (Becker et al. 2022): a variable with |skewness| > 2 and kurtosis > 3.5 is winsorised point by point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import scipy

from pipelines.methods.index.bounded import Floats
from pipelines.methods.index.definition import Leaf
from pipelines.methods.index.steps import Step
from schemas.errors import DefinitionError

MAD_TO_SIGMA: Final = 1.4826


@dataclass(frozen=True)
class Treatment:
    """What is done to one indicator's values: held within bounds, then possibly transformed.

    ``kind`` is none, log, log_shifted or box_cox; ``shift`` is added before the logarithm, ``power`` is Box-Cox's lambda.
    """

    low: float = -np.inf
    high: float = np.inf
    kind: str = "none"
    shift: float = 0.0
    power: float = 1.0
    skewness: tuple[float, float] = (np.nan, np.nan)  # before, after
    kurtosis: tuple[float, float] = (np.nan, np.nan)
    points: int = 0
    note: str = field(default="")

    def apply(self, x: Floats) -> Floats:
        """The treated values; any shape."""
        held = np.clip(x, self.low, self.high) if np.isfinite((self.low, self.high)).any() else x
        if self.kind == "none":
            return np.asarray(held, dtype=np.float64)
        shifted = held + self.shift
        if self.kind in ("log", "log_shifted") or self.power == 0.0:
            return np.asarray(np.log(shifted), dtype=np.float64)
        return np.asarray((shifted**self.power - 1.0) / self.power, dtype=np.float64)


def skewness(x: Floats) -> float:
    """Sample skewness G1, as Excel's SKEW and SPSS; NaN for fewer than three values or no spread."""
    known = x[~np.isnan(x)]
    n = known.size
    deviation = known.std(ddof=1) if n > 2 else 0.0
    if deviation == 0.0:
        return float("nan")
    return float(n / ((n - 1) * (n - 2)) * (((known - known.mean()) / deviation) ** 3).sum())


def excess_kurtosis(x: Floats) -> float:
    """Sample excess kurtosis G2, as Excel's KURT and SPSS; NaN for fewer than four values or no spread."""
    known = x[~np.isnan(x)]
    n = known.size
    deviation = known.std(ddof=1) if n > 3 else 0.0
    if deviation == 0.0:
        return float("nan")
    fourth = (((known - known.mean()) / deviation) ** 4).sum()
    lead = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3))
    return float(lead * fourth - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))


def is_outlying(x: Floats, step: Step) -> bool:
    """Whether both skewness and kurtosis are beyond their thresholds."""
    return abs(skewness(x)) > step.number("skewness") and excess_kurtosis(x) > step.number("kurtosis")


def treatments(values: Floats, leaves: Sequence[Leaf], places: Sequence[str] = ()) -> tuple[Treatment, ...]:
    """The treatment of every indicator, fitted on its values (units × indicators); ``places``: where the units stand in their file."""
    found = []
    for k, leaf in enumerate(leaves):
        try:
            found.append(fitted(values[:, k], leaf))
        except DefinitionError as error:
            at = f"(最小值在 {places[int(np.nanargmin(values[:, k]))]})" if places else ""
            raise DefinitionError(error.message + at, where=leaf.place, remedy=error.remedy) from None
    return tuple(found)


def fitted(x: Floats, leaf: Leaf) -> Treatment:
    """The treatment of one indicator. Raises DefinitionError where a logarithm is asked of values that are not positive."""
    step = leaf.outliers
    if np.isnan(x).all():
        return Treatment()  # nothing to look at
    treatment = _FITS[step.method](x, leaf, step)
    after = treatment.apply(x)
    return Treatment(
        treatment.low, treatment.high, treatment.kind, treatment.shift, treatment.power,
        (skewness(x), skewness(after)), (excess_kurtosis(x), excess_kurtosis(after)),
        int((~np.isnan(x) & (np.clip(x, treatment.low, treatment.high) != x)).sum()), treatment.note,
    )  # fmt: skip


def _none(x: Floats, leaf: Leaf, step: Step) -> Treatment:
    return Treatment()


def _winsorised(x: Floats, leaf: Leaf, step: Step) -> Treatment:
    """Point by point: the highest value (the lowest where the skew is negative) takes the value of the next one."""
    low, high, points = -np.inf, np.inf, 0
    most = int(step.number("maximum_points"))
    held = x.copy()
    while is_outlying(held, step) and points < most:
        points += 1
        known = np.sort(x[~np.isnan(x)])
        if skewness(held) > 0:
            next_below = np.unique(held[~np.isnan(held)])[-2]
            high = min(high, float(next_below))
        else:
            next_above = np.unique(held[~np.isnan(held)])[1]
            low = max(low, float(next_above))
        held = np.clip(x, low, high)
        points = int(((known < low) | (known > high)).sum())
    if is_outlying(held, step):
        then = str(step.effective["then"])
        if then in ("log", "log_shifted", "box_cox"):
            return _FITS[then](x, leaf, Step(then))
        return Treatment(low, high, note=f"截尾 {points} 个点后仍超过偏度与峰度界限。")
    return Treatment(low, high)


def _mad(x: Floats, leaf: Leaf, step: Step) -> Treatment:
    """Bounds at the median ± multiple × 1.4826 × median absolute deviation (index_system 4.3: three)."""
    centre = float(np.nanmedian(x))
    spread = float(np.nanmedian(np.abs(x - centre))) * MAD_TO_SIGMA * step.number("multiple")
    return Treatment(centre - spread, centre + spread) if spread > 0 else Treatment(note="离差中位数为 0,未截尾。")


def _log(x: Floats, leaf: Leaf, step: Step) -> Treatment:
    if np.nanmin(x, initial=np.inf) <= 0:
        raise DefinitionError(f"指标 {leaf.id} 有 0 或负值,不能取对数", remedy="请改用 log_shifted 或其他处理。")
    return Treatment(kind="log")


def _log_shifted(x: Floats, leaf: Leaf, step: Step) -> Treatment:
    """ln(x - min + 0.01 (max - min)), defined for every value."""
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    return Treatment(kind="log_shifted", shift=-low + 0.01 * (high - low)) if high > low else Treatment()


def _box_cox(x: Floats, leaf: Leaf, step: Step) -> Treatment:
    if np.nanmin(x, initial=np.inf) <= 0:
        raise DefinitionError(f"指标 {leaf.id} 有 0 或负值,不能用 Box-Cox", remedy="请改用 log_shifted 或其他处理。")
    if "power" in step.options:
        return Treatment(kind="box_cox", power=step.number("power"))
    known = x[~np.isnan(x)]
    if known.min() == known.max():
        return Treatment(note="数值没有差异,没有变换。")
    best = scipy.optimize.minimize_scalar(
        lambda power: -float(scipy.stats.boxcox_llf(power, known)), bounds=(-2.0, 2.0), method="bounded"
    )
    return Treatment(kind="box_cox", power=float(best.x))


_FITS = {
    "none": _none,
    "winsorise": _winsorised,
    "mad": _mad,
    "log": _log,
    "log_shifted": _log_shifted,
    "box_cox": _box_cox,
}
