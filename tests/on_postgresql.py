"""The tests of the ledger with PostgreSQL behind it instead of SQLite: ``python -m tests.on_postgresql [what pytest takes]``.

Starts a cluster of its own in a folder of its own on a socket of its own (programs of PostgreSQL in PATH or /usr/lib/postgresql),
gives every home of a test a database of its own, and throws all of it away. Tests that open the SQLite file are marked ``sqlite``
and left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from warehouse.home import Config, Home, load_config
from warehouse.ledger import session

LEDGER_TESTS = ("tests/unit/warehouse", "tests/unit/pipelines", "tests/unit/ytb")
SOCKET = "YTB_TEST_POSTGRESQL"
MARK = ".postgresql"
"""The file of a home that names its database; a copy of a home gets a copy of it."""


def config_of(home: Home) -> Config:
    """The configuration of a home, with a database of its own where it names none."""
    config = load_config(home)
    if config.ledger_url:
        return config
    folder, mark = os.environ[SOCKET], home.root / MARK
    name = "t" + hashlib.sha256(str(home.root).encode()).hexdigest()[:24]
    before = mark.read_text(encoding="ascii") if mark.exists() else ""
    if before != name:
        _create(folder, name, before or "template0")
        mark.write_text(name, encoding="ascii")
    return dataclasses.replace(config, ledger_url=f"postgresql+psycopg://ytb@/{name}?host={folder}")


def _create(folder: str, name: str, template: str) -> None:
    with psycopg.connect(host=folder, user="ytb", dbname="postgres", autocommit=True) as con:
        con.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
        con.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (template,))
        con.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template)))


def pytest_configure(config: pytest.Config) -> None:
    """As a plugin: every ledger of a home is in PostgreSQL."""
    patched = mock.patch.object(session, "load_config", config_of)
    patched.start()
    config.add_cleanup(patched.stop)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what opens the file of SQLite."""
    for item in items:
        if item.get_closest_marker("sqlite"):
            item.add_marker(pytest.mark.skip(reason="opens the file of SQLite"))


def programs() -> Path:
    """Where ``initdb`` and ``pg_ctl`` are."""
    found = shutil.which("initdb")
    every = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) + ([Path(found)] if found else [])
    if not every:
        sys.exit("没有 PostgreSQL / no PostgreSQL: apt-get install postgresql")
    return every[-1].parent


def main(arguments: list[str]) -> int:
    """Start a cluster, run the tests on it, stop it."""
    folder = Path(tempfile.mkdtemp(prefix="ytb-pg-"))
    # PostgreSQL does not start as root.
    as_user: dict[str, str] = {"user": "postgres"} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, "postgres")

    def run(*command: str) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user)  # type: ignore[call-overload]

    bin_, data = programs(), str(folder / "data")
    try:
        run(str(bin_ / "initdb"), "-D", data, "-U", "ytb", "--auth=trust", "-E", "UTF8", "--locale=C")
        options = f"-k {folder} -h '' -c fsync=off -c max_connections=300"
        run(str(bin_ / "pg_ctl"), "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            more = arguments or ["-n", "0", "-q", "-m", "not slow", *LEDGER_TESTS]
            command = [sys.executable, "-m", "pytest", "-p", "tests.on_postgresql", *more]
            return subprocess.run(command, env={**os.environ, SOCKET: str(folder)}).returncode
        finally:
            run(str(bin_ / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
