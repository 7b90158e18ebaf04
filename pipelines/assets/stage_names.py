"""The names that assets, checks and jobs share: keys are tables, groups are stages."""

import os
from typing import Final

import dagster as dg

from schemas.catalog import programme
from schemas.marts import MARTS
from schemas.model import FormKind, Programme
from warehouse.facts import STAGES, form_codes
from warehouse.home import Home, home_path, load_config

SUBMITTED, ACCEPTED = STAGES
MART, PUBLISHED = "mart", "published"
EFFECTIVE: Final = dg.AssetKey(["meta", "effective"])
RELEASE: Final = dg.AssetKey([PUBLISHED, "release"])
OWNERS: Final = ["team:statistics"]
ROUNDS: Final = {"Q": "季报", "A": "年报"}
KINDS_OF_FORM: Final = {FormKind.ROSTER: "逐户", FormKind.SHEET: "园区综合", FormKind.CONTEXT: "背景资料"}


def shown() -> Programme:
    """The programme whose forms are shown as assets: that of ``YTB_HOME``, else the shipped one."""
    root = home_path(None, os.environ)
    return programme(load_config(Home(root)).programme) if Home(root).config_file.is_file() else programme()


def form_titles() -> dict[str, str]:
    """All forms of all editions, in printed order, with what they are: name, number, kind, rounds."""
    found: dict[str, str] = {}
    of = shown()
    for code in form_codes(of):
        forms = [e.forms[code] for e in of.editions.values() if code in e.forms]
        newest = forms[-1]
        rounds = "、".join(
            name for r, name in ROUNDS.items() if any(r in i.rounds for f in forms for i in f.indicators)
        )
        found[code] = f"{newest.title}({newest.number},{KINDS_OF_FORM[newest.kind]},{rounds})"
    return found


def form_key(stage: str, code: str) -> dg.AssetKey:
    """The asset of a form in a stage, as its table."""
    return dg.AssetKey([stage, code])


def mart_key(name: str) -> dg.AssetKey:
    """The asset of a mart."""
    return dg.AssetKey([MART, name])


def marts_of_round(letter: str) -> list[str]:
    """Marts due in a round, in the order of ``schemas.marts``."""
    return [name for name, mart in MARTS.items() if letter in mart.rounds]


def forms_of_round(letter: str) -> list[str]:
    """Forms collected in a round in any edition."""
    of = shown()
    return [
        code
        for code in form_codes(of)
        if any(
            letter in i.rounds and not i.derived
            for e in of.editions.values()
            if code in e.forms
            for i in e.forms[code].indicators
        )
    ]
