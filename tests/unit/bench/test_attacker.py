from __future__ import annotations

import numpy as np
import pytest

from bench.attacker import from_the_beginning, margins, programme
from pipelines.methods.disclosure import solver


def test_every_line_of_the_made_up_table_has_its_total() -> None:
    wide, equations = margins((2, 3))
    assert wide == (3, 4)
    assert len(equations) == 4 + 3
    assert (equations[0].total, equations[0].parts) == (0, (4, 8))  # the first column: its total and two rows


def test_both_sides_of_the_bench_find_the_same() -> None:
    equal, bounds = programme((5, 4, 2), 3)
    every = np.arange(len(bounds))
    assert solver.reaches(equal, bounds, every) == pytest.approx(from_the_beginning(equal, bounds, every.tolist()))
