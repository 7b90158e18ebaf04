"""``python -m tests.oracle --books 500``: faulty and clean workbooks by construction, and the figures by kind of fault."""

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.oracle.faults import FAULTS
from tests.oracle.follower import follow
from tests.oracle.judge import CLEAN_SHARE, Tally, judged, run
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
    options.add_argument(
        "--follow", action="store_true", help="mend the faulty books by our words alone, in two rounds"
    )
    chosen = options.parse_args()
    gc.set_threshold(
        300_000, 20, 50
    )  # hundred thousands of cells live in the cached workbooks; walking them again finds nothing
    seeds = range(chosen.first, chosen.first + chosen.books)
    if chosen.follow:
        return following(seeds, chosen.jobs, chosen.notes)
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


def following(seeds: range, jobs: int, notes: int) -> int:
    """How many faulty books a clerk gets accepted who follows the marked workbook and nothing else."""
    faulty = [seed for seed in seeds if seed % CLEAN_SHARE]
    if jobs == 1:
        done = [follow(seed) for seed in faulty]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            done = list(pool.map(follow, faulty, chunksize=BATCH))
    accepted = [one for one in done if one.accepted]
    kinds = Counter(kind for one in done for kind in one.faults)
    failed = Counter(kind for one in done if not one.accepted for kind in one.faults)
    lines = [f"books {len(done)}, accepted {len(accepted)} ({100 * len(accepted) / max(len(done), 1):.1f} %)"]
    lines += [
        f"after {n} rounds: {sum(one.rounds == n for one in accepted)}" for n in sorted({o.rounds for o in accepted})
    ]
    lines += [f"in books not accepted: {kind} {n} of {kinds[kind]}" for kind, n in failed.most_common()]
    lines += [
        f"{seed}: {one.faults} {one.left[:2]}" for seed, one in zip(faulty, done, strict=True) if not one.accepted
    ][:notes]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if len(accepted) >= 0.95 * len(done) else 1


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
