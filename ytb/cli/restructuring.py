"""Mergers and splits of the unit register."""

from __future__ import annotations

from typing import Annotated

import typer

from warehouse.ledger.restructurings import RESTRUCTURING_KINDS, record_restructurings, restructuring
from ytb.cli.applications import day_of
from ytb.cli.output import emit
from ytb.cli.session import CALL


def hang_on(register_app: typer.Typer) -> None:
    """Hang the commands on ``ytb register``."""
    register_app.command("merge")(register_merge)
    register_app.command("split")(register_split)


def register_merge(
    unit: Annotated[str, typer.Argument(help="合并后的单位,已在名录库")],
    predecessor: Annotated[list[str], typer.Option(help="被合并的单位,可多个;合并后的单位自己不写")],
    effective: Annotated[str, typer.Option()],
    basis: Annotated[str, typer.Option()],
) -> None:
    """合并:被合并的单位退库,它们的数在增速和范围变动中由合并后的单位承继。"""
    _restructure("merger", unit, predecessor, effective, basis)


def register_split(
    unit: Annotated[str, typer.Argument(help="分立的单位")],
    successor: Annotated[list[str], typer.Option(help="分立后的单位,两个以上,已在名录库;原单位存续的也写上")],
    effective: Annotated[str, typer.Option()],
    basis: Annotated[str, typer.Option()],
) -> None:
    """分立:原单位不存续的退库,它的数在增速和范围变动中由分立后的单位承继。"""
    _restructure("split", unit, successor, effective, basis)


def _restructure(kind: str, unit: str, others: list[str], effective: str, basis: str) -> None:
    made = restructuring(kind, unit, others, day_of(effective, "--effective"), basis)
    with CALL.office.ledger.write() as session:
        record_restructurings(session, [made], now=CALL.now, actor=CALL.who)
    emit(made, f"已登记 {unit} 的{RESTRUCTURING_KINDS[kind]},{made.effective} 起生效。")
