"""What assets and sensors work with: the office of one HOME, opened when needed and not before."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from pipelines.intake import Office
from pipelines.letting_in import open_office
from schemas.errors import DefinitionError, RefusalError, StorageError
from sources.pool import Pool
from warehouse.home import Home, home_path, open_home

WAREHOUSE = "warehouse"
"""The pool of everything that writes the warehouse; its limit is 1 (deploy/dagster.yaml)."""
INBOX = "inbox"
"""The pool of everything that moves files of the drop folder; limit 1."""
RETRIES, WAIT_SECONDS = 3, 60


class Installation(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One HOME. ``home`` empty: ``YTB_HOME``, else ``./ytb-home``. ``actor`` is who the ledger says acted."""

    home: str = ""
    actor: str = "dagster"
    workers: int = 0

    def home_of(self) -> Home:
        """The home. Raises StorageError where there is none."""
        return open_home(home_path(Path(self.home) if self.home else None, os.environ))

    @contextmanager
    def office(self) -> Iterator[tuple[Office, Home]]:
        """Vault, ledger and programme of the home; database connections are given back afterwards."""
        home = self.home_of()
        office = open_office(home)
        try:
            yield office, home
        finally:
            office.ledger.engine.dispose()

    @contextmanager
    def step(self) -> Iterator[tuple[Office, Home]]:
        """As ``office``, for the body of a step: errors on purpose become what Dagster understands. What somebody has to
        decide or mend fails at once with its sentence; a store that was busy or failed on the way is tried again."""
        with ExitStack() as opened:
            try:
                office, home = opened.enter_context(self.office())
            except StorageError as fault:
                raise dg.Failure(description=str(fault), allow_retries=False) from fault
            try:
                yield office, home
            except (RefusalError, DefinitionError) as refusal:
                raise dg.Failure(description=str(refusal), allow_retries=False) from refusal
            except StorageError as busy:
                raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=WAIT_SECONDS) from busy

    def pool(self) -> Pool:
        """Limited child processes for reading workbooks; a context manager."""
        return Pool(workers=self.workers or None, preload=("sources.reader",))

    def now(self) -> datetime:
        """The time of a step: orchestration is a door, so the clock is read here."""
        return datetime.now(UTC)
