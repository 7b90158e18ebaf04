"""The static dashboard of a release: works from a folder without a server, loads nothing from outside, has no clock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
import polars as pl

from exports.manifest import ReleaseMeta
from exports.ordering import mart_title
from exports.revision import KINDS
from exports.site.figures import grouped, value
from exports.site.pages import pages_of
from exports.site.source import Page
from schemas.marts import STATUSES

FOLDER: Final = "site"
HERE: Final = Path(__file__).resolve().parent
ASSETS: Final = HERE / "assets"


def write_site(
    marts: Mapping[str, pl.DataFrame], folder: Path, meta: ReleaseMeta, revisions: pl.DataFrame | None
) -> None:
    """Write ``site/`` into ``folder``: a page a subject, its data as a script beside it, the assets."""
    target = folder / FOLDER
    (target / "data").mkdir(parents=True)
    _copy_assets(target / "assets")
    pages = pages_of(marts, meta, revisions)
    environment = _environment()
    workbooks = sorted(path.name for path in (folder / "publication").glob("*.xlsx"))
    for page in pages:
        stem = page.file.removesuffix(".html")
        html = environment.get_template(page.template).render(
            page=page, pages=pages, meta=meta, stem=stem, workbooks=workbooks, **page.context
        )
        (target / page.file).write_text(html, encoding="utf-8", newline="\n")
        (target / "data" / f"{stem}.js").write_text(_script(page), encoding="utf-8", newline="\n")


def _script(page: Page) -> str:
    # A script and not a JSON file: a browser reads no neighbouring file of a page opened from a folder.
    return f"window.YTB = {json.dumps(page.data, ensure_ascii=False, separators=(',', ':'), allow_nan=False)};\n"


def _copy_assets(target: Path) -> None:
    for source in sorted(p for p in ASSETS.rglob("*") if p.is_file()):
        copy = target / source.relative_to(ASSETS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: dict[str, Any] = {
        "grouped": grouped,
        "value": value,
        "statuses": STATUSES,
        "marks": {mark for mark, _ in STATUSES.values() if mark},
        "mart_title": mart_title,
        "kinds": KINDS,
    }
    environment.globals.update(shared)
    return environment
