"""Tables that stand as one card a row on a narrow screen: each cell says which column it is of. The style sheet does the rest."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_TABLE = re.compile(r"<table(?P<attributes>[^>]*)>(?P<inside>.*?)</table>", re.DOTALL)
_HEAD = re.compile(r"<thead(?P<attributes>[^>]*)>(?P<inside>.*?)</thead>", re.DOTALL)
_BODY = re.compile(r"<tbody(?P<attributes>[^>]*)>(?P<inside>.*?)</tbody>", re.DOTALL)
_HEADING = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr\b(?P<attributes>[^>]*)>(?P<inside>.*?)</tr>", re.DOTALL)
_CELL = re.compile(r"<(?P<tag>td|th)\b(?P<attributes>[^>]*)>", re.DOTALL)
_SPAN = re.compile(r'\bcolspan="(\d+)"')
_CLASS = re.compile(r'\bclass="([^"]*)"')
_TAG = re.compile(r"<[^>]+>")


def stacked(rendered: str) -> Markup:
    """The tables of a piece of a page with what a narrow screen needs to show them as cards.

    ``rendered`` is a template's own output, in which every text is escaped, so that a tag in it is one of the template's. Roles are
    written out because a browser may take a table whose rows are shown as blocks for no table; a cell of the body carries
    ``data-label``, the words of its column's heading. Tables without a head are left as they are.
    """
    return Markup(_TABLE.sub(_table, str(rendered)))


def _table(found: re.Match[str]) -> str:
    inside = found["inside"]
    head = _HEAD.search(inside)
    if head is None:
        return found[0]
    labels = [Markup(_TAG.sub("", text)).unescape().strip() for text in _HEADING.findall(head["inside"])]
    heading = _HEADING.sub(lambda one: one[0].replace("<th", '<th role="columnheader"', 1), head["inside"])
    heading = heading.replace("<tr", '<tr role="row"')
    inside = inside.replace(head[0], f'<thead role="rowgroup"{head["attributes"]}>{heading}</thead>')
    inside = _BODY.sub(lambda body: _body(body, labels), inside)
    return f'<table role="table"{_with_class(found["attributes"], "stacked")}>{inside}</table>'


def _body(found: re.Match[str], labels: list[str]) -> str:
    rows = _ROW.sub(
        lambda row: f'<tr role="row"{row["attributes"]}>{_cells(row["inside"], labels)}</tr>', found["inside"]
    )
    return f'<tbody role="rowgroup"{found["attributes"]}>{rows}</tbody>'


def _cells(row: str, labels: list[str]) -> str:
    at = 0

    def labelled(cell: re.Match[str]) -> str:
        nonlocal at
        label = labels[at] if at < len(labels) else ""
        span = _SPAN.search(cell["attributes"])
        at += int(span[1]) if span else 1
        role = "rowheader" if cell["tag"] == "th" else "cell"
        return f'<{cell["tag"]} role="{role}" data-label="{escape(label)}"{cell["attributes"]}>'

    return _CELL.sub(labelled, row)


def _with_class(attributes: str, name: str) -> str:
    if _CLASS.search(attributes):
        return _CLASS.sub(lambda one: f'class="{one[1]} {name}"', attributes)
    return f'{attributes} class="{name}"'
