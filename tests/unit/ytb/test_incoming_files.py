"""What the command line takes in from outside passes the scanner of the installation first, whichever command takes it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.unit.sources.test_antivirus import STAND_IN
from warehouse.home import Home
from warehouse.ledger import trail
from warehouse.ledger.migrate import open_ledger
from ytb.cli.main import main

CLI = Path(__file__).parents[3] / "ytb" / "cli"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("incoming")
    assert main(["--home", str(folder / "home"), "init"]) == 0
    stand_in = folder / "look.py"
    stand_in.write_text(STAND_IN)
    made = Home(folder / "home")
    with made.config_file.open("a", encoding="utf-8") as file:
        file.write(f'\n[uploads]\nscanner = "{sys.executable} {stand_in} {{file}}"\n')
    for name in ("坏.xlsx", "坏.pdf", "坏.toml"):
        (folder / name).write_bytes(b"EICAR")
    return made


@pytest.mark.parametrize(
    "words",
    [
        ["submit", "坏.xlsx"],
        ["collate", "坏.xlsx"],
        [
            "register",
            "apply",
            "entry",
            "91620102900001092A",
            "--park",
            "LBXQ",
            "--basis",
            "批复",
            "--evidence",
            "坏.pdf",
        ],
        ["correction", "ask", "LBXQ", "2015-Q1", "--reason", "错了一项", "--evidence", "坏.pdf"],
    ],
    ids=lambda words: words[0],
)
def test_an_infected_file_is_refused_at_the_command_line(
    home: Home, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    at = home.root.parent
    said = [str(at / word) if word.startswith("坏.") else word for word in words]
    before = len(infected(home))
    assert main(["--home", str(home.root), "--user", "某人", *said]) == 2
    assert "没有通过病毒检查" in capsys.readouterr().err
    assert infected(home)[before:] == [("某人", next(word for word in words if word.startswith("坏.")))]
    assert not list((home.vault / "tmp").iterdir())


def infected(home: Home) -> list[tuple[str, object]]:
    ledger = open_ledger(home)
    try:
        with ledger.read() as session:
            found = trail.events(session)
    finally:
        ledger.engine.dispose()
    return [(one.actor, one.payload["name"]) for one in found if one.action == "infected_refused"]


def test_files_from_outside_are_read_in_one_place_of_the_command_line() -> None:
    readers = [path.name for path in sorted(CLI.glob("*.py")) if "read_bytes()" in path.read_text(encoding="utf-8")]
    assert readers == ["incoming.py"]
