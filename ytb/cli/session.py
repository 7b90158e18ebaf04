"""What one call of the command line works with: home, language, output form, user and clock."""

from __future__ import annotations

import atexit
import getpass
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from schemas.errors import RefusalError
from warehouse.home import Home, home_path, load_config, open_home

if TYPE_CHECKING:  # ledger, programme and readers take a second to load: only the calls that need them wait for them
    from pipelines.intake import Office
    from schemas.model import Programme
    from sources.pool import Pool

BEIJING = ZoneInfo("Asia/Shanghai")


def system_clock() -> datetime:
    """The only place that reads the clock."""
    return datetime.now(UTC)


@dataclass
class Call:
    """The options every command shares. ``clock`` is replaced by the demo, which lives in 2014."""

    home_option: Path | None = None
    programme_option: Path | None = None
    json: bool = False
    lang: str = "zh"
    actor: str = ""
    printed: bool = False  # whether the one JSON document of ``--json`` stands on stdout
    clock: Callable[[], datetime] = system_clock
    workers: int = field(default_factory=lambda: max(os.cpu_count() or 1, 1))

    @property
    def now(self) -> datetime:
        """The time of this step."""
        return self.clock()

    @property
    def who(self) -> str:
        """Who acts: ``--user``, ``YTB_USER``, else the user of the operating system."""
        return self.actor or os.environ.get("YTB_USER", "") or getpass.getuser()

    @property
    def root(self) -> Path:
        """Where HOME is, whether it exists or not."""
        return home_path(self.home_option, os.environ)

    @cached_property
    def home(self) -> Home:
        """HOME. Raises StorageError where there is none, RefusalError where ``--programme`` names another than its own."""
        home = open_home(self.root)
        if self.programme_option and (own := load_config(home).programme) != self.programme_named:
            raise RefusalError(
                f"数据目录 {home.root} 用的制度是 {own},不能临时换成 {self.programme_named}:同一套数据只按一个定义处理。"
                "要改用,请运行 ytb upgrade --programme 制度目录。"
            )
        return home

    @property
    def has_home(self) -> bool:
        """Whether HOME has been made."""
        return (self.root / "config.toml").is_file()

    @cached_property
    def programme(self) -> Programme:
        """The survey programme of this call (``programme_named``)."""
        from schemas.catalog import programme

        return programme(self.programme_named)

    @property
    def programme_named(self) -> str:
        """That of ``--programme``, else of HOME, else of ``YTB_PROGRAMME``, else the shipped one, as ``schemas.catalog.programme``
        takes it."""
        from schemas.catalog import named_by

        if self.programme_option:
            return named_by(self.programme_option)
        if self.has_home:
            return load_config(open_home(self.root)).programme
        folder = os.environ.get("YTB_PROGRAMME", "")
        return named_by(Path(folder)) if folder else "park"

    @cached_property
    def office(self) -> Office:
        """Vault, ledger and programme together."""
        from pipelines.letting_in import open_office

        return open_office(self.home, self.programme)

    @cached_property
    def pool(self) -> Pool:
        """The limited child processes that read workbooks; kept for as long as this process lives."""
        from sources.pool import Pool

        made = Pool(workers=self.workers, preload=("sources.reader",))
        atexit.register(made.close)
        return made

    def say(self, zh: str, en: str) -> str:
        """The sentence in the language of the call."""
        return en if self.lang == "en" else zh


CALL = Call()
"""The call of this process; ``ytb.cli.main.run`` fills it from the arguments."""
