"""Runs revisions on the connection that ``migrate`` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from warehouse.ledger.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
