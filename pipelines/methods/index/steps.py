"""The methods of every step of an index and their options with the values that hold where a definition says nothing.

This is the one table of defaults: the computation, ``parameters.csv`` and the result workbook all read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

NOMINAL: Final = "nominal"  # in a list of methods that a draw chooses from: the definition's own
Options = Mapping[str, Any]  # option → default; None: does nothing unless it is given

NORMALISATIONS: Final[dict[str, Options]] = {
    "minmax": {"low": 0.0, "high": 100.0, "within": "all", "reference": "year"},
    "goalposts": {
        "worst": None, "best": None, "by_class": None, "low": 0.0, "high": 100.0, "floor": None, "ceiling": None, "log": False,
    },
    "zscore": {
        "centre": 50.0, "spread": 10.0, "floor": None, "ceiling": None, "minimum_units": 5, "within": "all", "reference": "year",
    },
    "efficacy": {"worst": None, "best": None, "by_class": None, "base": 60.0, "floor": 0.0, "ceiling": 120.0},
    "distance_to_target": {"target": None, "floor": None, "ceiling": None},
    "distance_to_best": {"within": "all", "reference": "year"},
    "rank": {"within": "all"},
    "percentile": {"within": "all"},
    "borda": {"within": "all"},
    "base_growth": {"base": None, "floor": None, "ceiling": None},
    "bounded_growth": {"cap": 200.0},
    "difference": {"scale": None, "cap": None},
    "none": {},
}  # fmt: skip
IMPUTATIONS: Final[dict[str, Options]] = {
    "none": {},
    "mean": {"within": "all"},
    "median": {"within": "all"},
    "regression": {"predictors": 3, "minimum_units": 10},
    "carry": {"periods": 1},
    "em": {"iterations": 200, "tolerance": 1e-6},
}
OUTLIERS: Final[dict[str, Options]] = {
    "none": {},
    "winsorise": {"skewness": 2.0, "kurtosis": 3.5, "maximum_points": 5, "then": "none"},
    "mad": {"multiple": 3.0},
    "log": {},
    "log_shifted": {},
    "box_cox": {"power": None},
}
WEIGHTINGS: Final[dict[str, Options]] = {
    "given": {},
    "equal": {},
    "entropy": {"minimum_units": 5},
    "pca": {},
    "factor": {"minimum_eigenvalue": 1.0, "minimum_share": 0.0, "factors": None},
    "benefit_of_doubt": {"lower": 0.0, "upper": 1.0},
    "budget": {"file": None},
    "ahp": {"file": None, "maximum_ratio": 0.1},
    "target_importance": {"importance": None},
    "combined": {"share": 0.7, "with": "entropy"},
}
FLOOR: Final = 0.01  # a score not above this takes its place in means that need positive numbers; index_system 4.2
_ANY_MEAN: Final[Options] = {"missing": "redistribute", "minimum_coverage": 0.0, "floor": FLOOR}
AGGREGATIONS: Final[dict[str, Options]] = {
    "arithmetic": _ANY_MEAN,
    "geometric": _ANY_MEAN,
    "harmonic": _ANY_MEAN,
    "power": {"power": None, **_ANY_MEAN},
}
# preference functions of pairwise outranking; thresholds in points of the score
PREFERENCES: Final[dict[str, Options]] = {
    "usual": {},
    "u_shape": {"indifference": None},
    "v_shape": {"preference": None},
    "level": {"indifference": None, "preference": None},
    "linear": {"indifference": None, "preference": None},
    "gaussian": {"deviation": None},
}
POWERS: Final = {"arithmetic": 1.0, "geometric": 0.0, "harmonic": -1.0}
OVER_TIME: Final = frozenset({"base_growth", "bounded_growth", "difference"})
MISSING: Final = ("redistribute", "null", "base")
# no method name but "none" stands in two tables, so a step needs no kind to know its defaults
_DEFAULTS: Final[dict[str, Options]] = {
    **NORMALISATIONS,
    **IMPUTATIONS,
    **OUTLIERS,
    **WEIGHTINGS,
    **AGGREGATIONS,
    **PREFERENCES,
}


@dataclass(frozen=True)
class Step:
    """One method with the options the definition gives."""

    method: str
    options: Options = field(default_factory=dict)

    @cached_property
    def effective(self) -> Options:
        """Every option of the method with the value that is used; None where an option is not used at all.

        Goalposts hold scores between ``low`` and ``high``, z-scores between 0 and 100, unless floor or ceiling are given (a
        z-score with its own centre is not held).
        """
        values = {**_DEFAULTS.get(self.method, {}), **self.options}
        if self.method == "goalposts":
            held = (values["low"], values["high"])
        elif self.method == "zscore" and "centre" not in self.options:
            held = (0.0, 100.0)
        else:
            return values
        return {**values, "floor": self.options.get("floor", held[0]), "ceiling": self.options.get("ceiling", held[1])}

    def number(self, name: str) -> float:
        """An option that always has a value."""
        return float(self.effective[name])

    def limit(self, name: str, otherwise: float) -> float:
        """An option that may be left out, then ``otherwise``."""
        value = self.effective[name]
        return otherwise if value is None else float(value)
