"""``python -m tests.oracle --books 500``: faulty and clean workbooks by construction, and the figures by kind of fault."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.oracle.faults import FAULTS
from tests.oracle.judge import Tally, judged, run
from tests.oracle.structure import STRUCTURE

BATCH = 20


def table(tally: Tally) -> list[str]:
    """The figures as lines of Markdown."""
    lines = ["| fault | planted | found | recall % | address exact % | confused |", "|---|---|---|---|---|---|"]
    for kind in [*FAULTS, *(k for k in tally.kinds if k not in FAULTS and k not in STRUCTURE), *STRUCTURE]:
        c = tally.kinds.get(kind)
        if c:
            exact = 100 * c["exact"] / max(c["found"], 1)
            recall = 100 * c["found"] / c["planted"]
            lines.append(f"| {kind} | {c['planted']} | {c['found']} | {recall:.1f} | {exact:.1f} | {c['confused']} |")
    return lines


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.oracle")
    options.add_argument("--books", type=int, default=500)
    options.add_argument("--first", type=int, default=0, help="number of the first book")
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--only", default="", help="one kind of fault, in every book")
    options.add_argument("--notes", type=int, default=20, help="how many misses to print")
    chosen = options.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.books)
    total = Tally()
    if chosen.only:
        for seed in seeds:
            total.add(judged(seed, chosen.only))
    elif chosen.jobs == 1:
        total = run(seeds)
    else:
        batches = [seeds[n : n + BATCH] for n in range(0, len(seeds), BATCH)]
        with ProcessPoolExecutor(chosen.jobs) as pool:
            for part in pool.map(run, batches):
                total.add(part)
    sys.stdout.write("\n".join([*table(total), "", *summary(total), *total.notes[: chosen.notes]]) + "\n")
    return (
        0
        if total.recall >= 0.995 and total.exact == 1 and total.false_a_clean_book <= 0.1 and not total.confused
        else 1
    )


def summary(tally: Tally) -> list[str]:
    """The figures of the whole run."""
    return [
        f"books {tally.books}, of which clean {tally.clean}; faults {tally.planted}",
        f"recall {100 * tally.recall:.2f} %, address exact {100 * tally.exact:.2f} %, error cell and blank confused {tally.confused}",
        f"false findings: {tally.false_a_clean_book:.3f} a clean book; {tally.false_beside_faults} at units left alone in faulty books",
        f"cells compared {tally.cells}, misread {tally.misread}",
    ]


if __name__ == "__main__":
    sys.exit(main())
