"""Reading definition files: TOML and CSV with the file and line every complaint needs, checked against docs/formats."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl

from schemas.errors import DefinitionError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
FORMATS = Path(__file__).resolve().parent.parent / "docs" / "formats"


@cache
def _validator(format_name: str) -> Any:
    schema = json.loads((FORMATS / f"{format_name}.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


@dataclass(frozen=True)
class Definition:
    """One parsed TOML file that remembers where its entries stand."""

    path: Path
    text: str
    data: Mapping[str, Any]

    def line_of(self, key: str, value: str, nth: int = 0) -> str:
        """``file:line`` of a ``key = "value"``, of the first one or the one after ``nth`` others; the bare file where it is not found.

        A ``key`` in brackets is the head of a table.
        """
        if key.startswith("["):
            return self.line_of_table(key.strip("[]"))
        pattern = re.compile(rf"^\s*{re.escape(key)}\s*=\s*[\"']{re.escape(value)}[\"']", re.MULTILINE)
        every = list(pattern.finditer(self.text))
        return self._at(every[min(nth, len(every) - 1)] if every else None)

    def line_of_table(self, name: str) -> str:
        """``file:line`` of the head ``[name]`` of a table, or of the first key ``name``; the bare file where there is none."""
        head = re.compile(rf"^\s*(?:\[\[?\s*{re.escape(name)}\s*\]|{re.escape(name)}\s*=)", re.MULTILINE)
        return self._at(head.search(self.text))

    def _at(self, found: re.Match[str] | None) -> str:
        shown = "/".join(self.path.parts[-3:])
        if found is None:
            return shown
        begins = found.end() - len(found[0].lstrip())
        return f"{shown}:{self.text.count(chr(10), 0, begins) + 1}"


def read_toml(path: Path, format_name: str) -> Definition:
    """Parse ``path`` and check it against ``docs/formats/<format_name>.schema.json``.

    Raises DefinitionError with file and line for a syntax error and for the first entry that breaks the format.
    """
    try:
        # Windows editors put a mark before the first character, which TOML does not know.
        text = text_of(path)
        data = tomllib.loads(text)
    except FileNotFoundError:
        raise DefinitionError("文件不存在", where=str(path), remedy="请检查路径。") from None
    except IsADirectoryError:
        raise DefinitionError("这是文件夹,不是文件", where=str(path), remedy="请给出 TOML 文件。") from None
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(
            f"TOML 语法错误:{error}",
            where=str(path),
            remedy="请按提示的行列更正:文字用一对半角双引号括起、写在一行内,表达式里的文字用单引号。",
        ) from None
    definition = Definition(path, text, data)
    if place := _not_finite(data):
        raise DefinitionError(f"{place}:不能写 inf 或 nan", where=str(path), remedy="请写普通的数。")
    problem = next(iter(sorted(_validator(format_name).iter_errors(data), key=lambda e: list(map(str, e.path)))), None)
    if problem is not None:
        raise DefinitionError(
            f"{'.'.join(map(str, problem.path)) or '顶层'}:{_in_chinese(problem)}",
            where=_where(definition, list(problem.path)),
            remedy=f"格式见 docs/formats/{format_name}.schema.json。",
        )
    return definition


def _not_finite(value: Any, place: str = "") -> str:
    """Where inf or nan stands, empty where nowhere. TOML has them; no definition has a use for them."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else place
    entries = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return next((found for k, v in entries if (found := _not_finite(v, f"{place}.{k}".lstrip(".")))), "")


KINDS = {
    "string": "文字",
    "number": "数",
    "integer": "整数",
    "boolean": "true 或 false",
    "object": "一张表([名称] 或 { … })",
    "array": "一列([ … ])",
}
LIMITS = {"minimum": "不能小于", "maximum": "不能大于", "exclusiveMinimum": "应大于", "exclusiveMaximum": "应小于"}


def _in_chinese(problem: Any) -> str:
    """What a schema says of an entry, for its author."""
    match problem.validator:
        case "required":
            missing = [name for name in problem.validator_value if name not in problem.instance]
            return f"缺少 {'、'.join(missing)}"
        case "additionalProperties":
            strange = sorted(problem.instance.keys() - problem.schema.get("properties", {}).keys())
            known = f"不认识 {'、'.join(strange)},可写的有 {'、'.join(problem.schema.get('properties', {}))}"
            of_a_programme = {"rounds", "in_template", "absorbed_by"} & set(strange)
            return known + (";制度的规则用 ytb programme lint 检查、ytb rules rehearse 试算" if of_a_programme else "")
        case "enum":
            return f"“{problem.instance}”不在可用的值之中:{'、'.join(map(str, problem.validator_value))}"
        case "type":
            kinds: list[str] = (
                problem.validator_value if isinstance(problem.validator_value, list) else [problem.validator_value]
            )
            wanted = "或".join(KINDS.get(kind, kind) for kind in kinds)
            written = "一组表" if isinstance(problem.instance, list | Mapping) else f"“{problem.instance}”"
            return f"{written}的类型不对,应为{wanted}"
        case "oneOf" | "anyOf":
            choices = [
                "+".join(option.get("required", [option.get("type", "…")])) for option in problem.validator_value
            ]
            how = "恰好" if problem.validator == "oneOf" else "至少"
            return f"要{how}写其中一种:{' 或 '.join(choices)}"
        case "minLength" | "minItems" | "minProperties":
            return "不能为空" if not problem.instance else f"太短,至少 {problem.validator_value} 个字(项)"
        case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
            return f"写的是 {problem.instance},{LIMITS[problem.validator]} {problem.validator_value}"
        case "pattern":
            wanted = problem.schema.get("description") or f"合 {problem.validator_value}"
            return f"“{problem.instance}”的写法不对,应为{wanted}"
        case "maxItems" | "maxProperties":
            return f"最多 {problem.validator_value} 项"
        case "uniqueItems":
            return "有重复的项"
    return str(problem.message)


def _where(definition: Definition, path: list[Any]) -> str:
    # An entry of a list of tables is found by its code or id, which is what its author looks for.
    entry: Any = definition.data
    for step in path[:2]:
        entry = (
            entry[step]
            if isinstance(entry, Mapping) and step in entry
            else (entry[step] if isinstance(entry, list) and isinstance(step, int) and step < len(entry) else None)
        )
    if isinstance(entry, Mapping):
        for key in ("code", "id"):
            if isinstance(entry.get(key), str):
                return definition.line_of(key, entry[key])
    return definition.line_of_table(str(path[0])) if path else "/".join(definition.path.parts[-3:])


def read_csv_rows(path: Path, required: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a definition CSV as (``file:line``, row). Raises DefinitionError where a required column is missing."""
    with io.StringIO(text_of(path), newline="") as handle:
        reader = csv.DictReader(handle, strict=True)
        missing = [name for name in required if name not in (reader.fieldnames or [])]
        if missing:
            raise DefinitionError(f"缺列 {'、'.join(missing)}", where=str(path), remedy="请补上这些列。")
        try:
            for row in reader:
                where = f"{'/'.join(path.parts[-3:])}:{reader.line_num}"
                if any(row.pop(None, None) or ()):
                    raise DefinitionError("格数多于列名", where=where, remedy="含逗号的内容要用双引号括起。")
                if None in row.values():
                    raise DefinitionError("格数少于列名", where=where, remedy="请补齐逗号。")
                yield where, row
        except csv.Error as error:
            raise DefinitionError(
                f"引号没有成对({error})", where=f"{path}:{reader.line_num}", remedy="请更正这一行。"
            ) from None


def text_of(path: Path) -> str:
    """The text of a definition file. Raises DefinitionError where it is not UTF-8, with or without mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DefinitionError("文件不是 UTF-8 编码的文本", where=str(path), remedy="请另存为 UTF-8。") from None


def _is_day(text: str) -> bool:
    try:
        return _DAY.fullmatch(text) is not None and date.fromisoformat(text) is not None
    except ValueError:
        return False


def read_codelist(path: Path) -> pl.DataFrame:
    """A code list CSV: all columns text, blank where empty; ``code``, ``name``, ``valid_from``, ``valid_to`` required.

    Raises DefinitionError for a row without a code, a date that is none, and a code that is in force twice on one day.
    """
    rows = []
    spans: dict[str, list[tuple[str, str]]] = {}
    for where, row in read_csv_rows(path, ("code", "name", "valid_from", "valid_to")):
        code, span = row["code"], (row["valid_from"], row["valid_to"] or "9999-12-31")
        if not code or not all(_is_day(day) for day in span if day):
            raise DefinitionError("缺 code,或日期不是 2025-01-31 的写法", where=where, remedy="请补上或更正。")
        if any(a <= span[1] and span[0] <= b for a, b in spans.setdefault(code, [])):
            raise DefinitionError(
                f"代码 {code} 同时有两行在用", where=where, remedy="请删去一行,或写明各自的起止日期。"
            )
        spans[code].append(span)
        rows.append(row)
    header = next(csv.reader([text_of(path).partition("\n")[0].rstrip("\r")]))
    return pl.DataFrame(rows or None, schema=dict.fromkeys(header, pl.String()), orient="row" if rows else None)
