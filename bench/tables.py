"""What was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WHO = {
    "calamine": "calamine, nothing else",
    "product": "guard, reader in limited processes, all rules",
    "script": "pandas + openpyxl, the same rules",
}
TITLES = {
    "filing": "Filing: the ledger's own steps from receipt to acceptance, without workbooks",
    "loading": "Loading every round into an empty warehouse",
    "bare_loading": "The rival: one INSERT a frame into a bare DuckDB, one stage, no gate",
    "plain_sums": "The rival of the products: DuckDB sums each figure by park and industry, nothing else",
    "quarter": "Publishing a quarter",
    "year": "Publishing a year",
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, first column to the left."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'--:|' * (len(head) - 1)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


def reading_table(found: Mapping[str, Any]) -> str:
    """The round of workbooks: seconds, ratios to the fastest rival at as many processes, memory."""
    made = found["made"]
    title = (
        f"## A round: {made['books']} workbooks, {made['enterprises']} enterprises, {made['filled_cells']} filled cells, "
        f"{made['megabytes']:.1f} MB, {made['planted']} planted faults\n\n"
        f"{made['rules']} rules; the script runs the {made['rules_of_the_script']} of them that concern enterprise forms "
        "and found exactly the same, rule by rule.\n"
    )
    bare = {run["workers"]: run for run in found["runs"] if run["who"] == "calamine"}
    rows = []
    for run in found["runs"]:
        per_second = made["books"] / run["seconds"]
        rows.append(
            [
                f"{WHO[run['who']]}, {run['workers']} at work",
                f"{run['seconds']:.2f}",
                f"{per_second:.1f}",
                f"{run['cpu_seconds']:.2f}",
                f"{run['cpu_seconds'] / bare[run['workers']]['cpu_seconds']:.2f}",
                f"{run['peak']['own_mib']:.0f}",
                f"{run['peak']['largest_child_mib']:.0f}",
                f"{run['peak']['together_mib']:.0f}",
            ]
        )
    head = ["", "s", "books/s", "CPU s", "× calamine, CPU", "MiB parent", "MiB child", "MiB together"]
    return f"{title}\n{table(head, rows)}"


def store_table(found: Mapping[str, Any], size: str) -> str:
    """The store: seconds and peak memory of every stage."""
    lines = [f"## The store, size {size}\n"]
    for job, measured in found.items():
        lines.append(f"### {TITLES[job]}\n\n{_said(job, measured)}")
        if stages := measured.get("stages"):
            rows = [
                [
                    stage["stage"],
                    f"{stage['seconds']:.1f}",
                    f"{stage['cpu_seconds']:.1f}" if "cpu_seconds" in stage else "",
                    f"{stage['peak_mib']:.0f}" if "peak_mib" in stage else "",
                ]
                for stage in stages
            ]
            rows.append(
                [
                    "**whole process**",
                    f"{measured['job_seconds']:.1f}",
                    f"{measured['job_cpu_seconds']:.1f}",
                    f"{measured['peak']['own_mib']:.0f}",
                ]
            )
            lines.append(table(["stage", "s", "CPU s", "peak MiB"], rows))
    return "\n".join(lines)


def _said(job: str, measured: Mapping[str, Any]) -> str:
    match job:
        case "filing":
            return (
                f"{measured['submissions']} submissions of {measured['units']} units, {measured['cells']} filled cells: "
                f"drawing figures {measured['drawing_seconds']:.1f} s, register {measured['register_seconds']:.1f} s, "
                f"vault and ledger {measured['filing_seconds']:.1f} s; peak {measured['peak']['own_mib']:.0f} MiB.\n"
            )
        case "loading":
            return (
                f"{measured['submissions']} submissions, {measured['rows']} rows; the warehouse then has "
                f"{measured['warehouse_mib']:.0f} MiB on disk.\n"
            )
        case "quarter" | "year":
            cells = ", ".join(f"{name} {rows}" for name, rows in measured["cells"].items())
            return f"Release {measured['release']}, {measured['files']} files; cells: {cells}.\n"
    return ""
