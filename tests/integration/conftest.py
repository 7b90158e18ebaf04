"""One short story of the demo, run once: four periods, two releases, through real workbooks and the user's commands."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ytb.cli.main import main
from ytb.cli.session import CALL, system_clock
from ytb.demo.run import Story, run_demo


def pytest_addoption(parser: pytest.Parser) -> None:
    """``make golden``: recorded results are written anew; the diff is reviewed."""
    parser.addoption("--rewrite-golden", action="store_true", help="write the recorded results anew")


@dataclass(frozen=True)
class Province:
    """The home the story left, and what happened in it."""

    home: Path
    story: Story

    def ytb(self, *words: str) -> tuple[int, Any, str]:
        """One command with ``--json``: exit code, result, what it said on stderr."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["--home", str(self.home), "--json", *words])
        return code, json.loads(out.getvalue()) if out.getvalue().strip() else None, err.getvalue()


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> Province:
    home = tmp_path_factory.mktemp("province") / "home"
    try:
        story = run_demo(
            home,
            "small",
            lambda _: None,
            periods=("2014-Q4", "2014", "2015-Q1", "2015-Q2"),
            releases=("2014", "2015-Q2"),
        )
    finally:
        CALL.clock = system_clock
    return Province(home, story)
