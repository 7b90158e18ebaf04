"""Great Expectations over a mart, and its Data Docs made to load nothing from outside.

The library takes seconds and 280 MB to import and speaks pandas only, so it is imported here, inside the call, and nowhere
else. The generated pages fetch scripts, styles and a logo (with the id of the installation) from servers of others: all of
that is cut out, our own style sheet put in, and a content security policy forbids the rest. The pages are English and for
the operator; results are kept without values, since a mart before disclosure control may hold figures of single units.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import polars as pl

from schemas.expectations import CRITICAL, Expectation, Suite
from warehouse.durable import disk_faults
from warehouse.home import Home

_EXTERNAL = r"(?:https?:)?//"
_CUT = (
    re.compile(rf"<script\b[^>]*\bsrc\s*=\s*[\"']{_EXTERNAL}[^>]*>\s*</script\s*>", re.IGNORECASE),
    re.compile(rf"<link\b[^>]*\bhref\s*=\s*[\"']{_EXTERNAL}[^>]*>", re.IGNORECASE),
    re.compile(rf"<(?:img|source)\b[^>]*\bsrc(?:set)?\s*=\s*[\"']{_EXTERNAL}[^>]*>", re.IGNORECASE),
    re.compile(rf"<(iframe|form)\b[^>]*{_EXTERNAL}.*?</\1\s*>", re.IGNORECASE | re.DOTALL),
)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_OUTWARD_LINK = re.compile(rf"(<a\b[^>]*\bhref\s*=\s*)([\"']){_EXTERNAL}[^\"']*\2", re.IGNORECASE)
_STYLE_IMPORT = re.compile(rf"@import\s+(?:url\()?\s*[\"']?{_EXTERNAL}[^;]*;?", re.IGNORECASE)
_STYLE_URL = re.compile(rf"url\(\s*[\"']?{_EXTERNAL}[^)]*\)", re.IGNORECASE)
_POLICY = "default-src 'self' file: data: 'unsafe-inline'"
_STYLE = "data_docs.css"


@dataclass(frozen=True)
class Judgement:
    """What a suite says of a mart. ``errors`` and ``warnings``: the failed expectations, one Chinese sentence each."""

    expectations: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    docs: Path | None

    @property
    def holds(self) -> bool:
        """Nothing critical failed."""
        return not self.errors


def judge(cells: pl.DataFrame, suite: Suite, home: Home | None = None) -> Judgement:
    """Run ``suite`` over the cells of one mart. With a home, its Data Docs replace those of the last run under
    ``warehouse/data_docs/<suite>``."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported
    with tempfile.TemporaryDirectory(prefix="ytb-gx-") as scratch:
        failed, site = _run(cells, suite, Path(scratch))
        docs = None
        if home is not None:
            localise(site)
            docs = _put_in_place(site, home.root / "warehouse" / "data_docs" / suite.name)
    told = {True: [], False: []}  # type: dict[bool, list[str]]
    for expectation in failed:
        told[expectation.severity == CRITICAL].append(sentence(expectation))
    return Judgement(len(suite.expectations), tuple(told[True]), tuple(told[False]), docs)


def sentence(expectation: Expectation) -> str:
    """The failed expectation in words, without any value."""
    column = expectation.kwargs.get("column")
    where = f"({expectation.where[0]} 为 {'、'.join(expectation.where[1])} 的行)" if expectation.where else ""
    return f"{expectation.note}{where}:不符合 {expectation.type}{f'({column})' if column else ''}"


def _run(cells: pl.DataFrame, suite: Suite, scratch: Path) -> tuple[list[Expectation], Path]:
    """The expectations that do not hold, and the folder of the built pages."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.row_conditions import Column

    context: Any = gx.get_context(mode="file", project_root_dir=scratch)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_pandas("marts")
    batch = source.add_dataframe_asset(suite.mart).add_batch_definition_whole_dataframe("period")
    configurations = [
        ExpectationConfiguration(
            type=e.type,
            kwargs=dict(e.kwargs) | ({"row_condition": Column(e.where[0]).is_in(list(e.where[1]))} if e.where else {}),
            severity=e.severity,
            notes=e.note,
            meta={"position": n},
        )
        for n, e in enumerate(suite.expectations)
    ]
    made = context.suites.add(gx.ExpectationSuite(name=suite.name, expectations=configurations))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=suite.name, data=batch, suite=made))
    result = definition.run(
        batch_parameters={"dataframe": cells.to_pandas()}, result_format={"result_format": "BOOLEAN_ONLY"}
    )
    context.build_data_docs()
    failed = [suite.expectations[one.expectation_config.meta["position"]] for one in result.results if not one.success]
    pages = scratch / "gx" / "uncommitted" / "data_docs" / "local_site"
    return sorted(failed, key=suite.expectations.index), pages


def localise(site: Path) -> None:
    """Rewrite every page below ``site`` so that a browser loads nothing that does not lie there."""
    shutil.rmtree(site / "static" / "fonts", ignore_errors=True)
    shutil.rmtree(site / "static" / "images", ignore_errors=True)
    (site / "static").mkdir(exist_ok=True)
    style = resources.files("pipelines").joinpath(_STYLE).read_text(encoding="utf-8")
    (site / "static" / _STYLE).write_text(style, encoding="utf-8")
    (site / "index.html").write_text(_index(site), encoding="utf-8")
    for sheet in sorted(site.rglob("*.css")):
        sheet.write_text(_local_style(sheet.read_text(encoding="utf-8")), encoding="utf-8")
    for page in sorted(site.rglob("*.html")):
        depth = len(page.relative_to(site).parts) - 1
        text = page.read_text(encoding="utf-8")
        page.write_text(local_page(text, "../" * depth + f"static/{_STYLE}"), encoding="utf-8")


def _index(site: Path) -> str:
    """The start page in place of the generated one, which is empty without the scripts it would fetch."""
    pages = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html") if p != site / "index.html")
    titles = {"validations": "检验结果", "expectations": "检验项目"}
    items = [f'<li><a href="{p}">{titles.get(p.split("/")[0], p)}</a></li>' for p in reversed(pages)]
    return (
        '<!DOCTYPE html><html lang="zh-CN"><head><title>数据质量检验</title></head><body><div class="container">'
        f"<h1>数据质量检验</h1><ul>{''.join(items)}</ul></div></body></html>"
    )


def local_page(text: str, style: str) -> str:
    """One page without anything from outside, with our style sheet at ``style`` and the policy in its head."""
    for pattern in _CUT:
        text = pattern.sub("", text)
    text = _local_style(_OUTWARD_LINK.sub(r"\1\2#\2", text))
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<link rel="stylesheet" href="{style}">'
    )
    return _HEAD.sub(lambda found: found[0] + head, text, count=1) if _HEAD.search(text) else head + text


def _local_style(text: str) -> str:
    return _STYLE_URL.sub("none", _STYLE_IMPORT.sub("", text))


def outside(site: Path) -> list[str]:
    """Addresses that a browser would load from elsewhere when it opens the pages; empty is what must be."""
    loads = re.compile(rf"<(?:script|link|img|iframe|source|video)\b[^>]*[\"']({_EXTERNAL}[^\"']+)", re.IGNORECASE)
    imports = re.compile(rf"url\(\s*[\"']?({_EXTERNAL}[^)\"']+)", re.IGNORECASE)
    texts: Iterable[str] = (
        p.read_text(encoding="utf-8") for p in site.rglob("*") if p.suffix in (".html", ".css", ".js") and p.is_file()
    )
    return sorted({hit for text in texts for pattern in (loads, imports) for hit in pattern.findall(text)})


def _put_in_place(site: Path, target: Path) -> Path:
    """The finished pages in the place of the old ones."""
    with disk_faults("写数据质量页"):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh, old = target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.old")
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(site, fresh)
        if target.exists():
            target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    return target / "index.html"
