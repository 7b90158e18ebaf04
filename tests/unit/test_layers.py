"""Imports go one way: sources → schemas, warehouse → schemas, exports, pipelines, and ytb on top of all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "schemas": set[str](),
    "sources": {"schemas"},
    "warehouse": {"schemas"},
    "exports": {"schemas", "warehouse"},
    "pipelines": {"schemas", "sources", "warehouse", "exports"},
    "ytb": {"schemas", "sources", "warehouse", "exports", "pipelines"},
}
IO_MODULES = {"duckdb", "sqlalchemy", "pathlib", "open", "requests", "urllib", "socket", "time"}


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_go_one_way(folder: str) -> None:
    for file in sorted((ROOT / folder).rglob("*.py")):
        upstream = imported(file) & MAY_IMPORT.keys() - MAY_IMPORT[folder] - {folder}
        assert not upstream, f"{file.relative_to(ROOT)} imports {upstream}"


def test_methods_know_no_file_no_connection_and_no_clock() -> None:
    for file in sorted((ROOT / "pipelines" / "methods").rglob("*.py")):
        assert not imported(file) & IO_MODULES, file.relative_to(ROOT)


@pytest.mark.parametrize("folder", ["schemas", "sources", "exports", "pipelines", "ytb"])
def test_only_the_warehouse_talks_to_databases(folder: str) -> None:
    may_name_the_type = {"pipelines", "ytb"}
    for file in sorted((ROOT / folder).rglob("*.py")):
        found = imported(file) & {"duckdb", "sqlalchemy"}
        text = file.read_text(encoding="utf-8")
        if found and folder in may_name_the_type:
            assert ".execute(" not in text, f"{file.relative_to(ROOT)} runs SQL"
        else:
            assert not found, file.relative_to(ROOT)
