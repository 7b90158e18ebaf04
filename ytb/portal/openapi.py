"""The OpenAPI 3.1 document of the interface for programs, generated from the route table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from warehouse.ledger.return_models import ReturnState
from warehouse.ledger.states import State
from ytb.portal.route import Owner, Route

PARAMETERS = {
    "number": ("报送编号", "2025Q1-LBXQ-0001"),
    "park": ("园区代码", "LBXQ"),
    "period": ("报告期", "2025-Q1"),
    "unit": ("企业统一社会信用代码", "91620102900001092A"),
}
NUMBER_OF_RETURN = ("企业自填表编号", "2025Q1-LBXQ-91620102900001092A-01")
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
HEADERS = {
    name: {"name": name, "in": "header", "required": False, "description": words, "schema": {"type": "string"}}
    for name, words in {
        "Idempotency-Key": "本次报送的标识(1 至 64 个字符):同一标识、同一内容再来,答复同一份;内容不同答复 409",
        "If-None-Match": "程序已有答复的 ETag",
    }.items()
}
TEXT, COUNT, MAYBE_COUNT, MAYBE_TEXT = (
    {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": ["integer", "null"]}, {"type": ["string", "null"]}
)  # fmt: skip
INSTANT = {"type": "string", "format": "date-time"}


def _object(**properties: object) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(of: object) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _named(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


RECEIPT = _object(
    receipt=TEXT,
    code=TEXT,
    state=TEXT,
    state_at={**TEXT, "description": "北京时间"},
    head=_object(seq=COUNT, hash=TEXT),
    notice=TEXT,
    text=TEXT,
)
SUBMISSION = _object(
    submission=TEXT, park=TEXT, period=TEXT, edition=TEXT, revision={"type": "integer", "minimum": 1},
    state={"enum": [state.value for state in State]}, state_label=TEXT, reported={"type": "boolean"}, received_at=INSTANT,
    state_at=INSTANT, files=_list(_object(name=TEXT, sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"}, size=COUNT)),
    forms=_list(TEXT), counts={"type": "object", "additionalProperties": COUNT}, blocking=MAYBE_COUNT,
    to_explain=MAYBE_COUNT, unreadable=MAYBE_TEXT,
)  # fmt: skip
FINDING = _object(
    rule=MAYBE_TEXT, severity={"enum": ["hard", "soft"]}, form=MAYBE_TEXT, unit_id=MAYBE_TEXT, sheet=MAYBE_TEXT,
    cell=MAYBE_TEXT, row=MAYBE_COUNT, column=MAYBE_TEXT, indicator=MAYBE_TEXT, found=MAYBE_TEXT,
    expected=MAYBE_TEXT, message=TEXT,
    code=MAYBE_TEXT, outcome=MAYBE_TEXT, explanation={"anyOf": [{"type": "null"}, _object(reason_code=TEXT, text=TEXT)]},
)  # fmt: skip
RETURN = _object(
    **{"return": TEXT}, park=TEXT, period=TEXT, unit_id=TEXT, edition=TEXT, revision={"type": "integer", "minimum": 1},
    state={"enum": [state.value for state in ReturnState]}, state_label=TEXT, confirmed={"type": "boolean"}, received_at=INSTANT,
    state_at=INSTANT, file=_object(name=TEXT, sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"}, size=COUNT),
    forms=_list(TEXT), counts={"type": "object", "additionalProperties": COUNT}, blocking=MAYBE_COUNT,
    to_explain=MAYBE_COUNT, unexplained=MAYBE_COUNT, unreadable=MAYBE_TEXT,
)  # fmt: skip
SCHEMAS = {"Problem": PROBLEM, "Submission": SUBMISSION, "Receipt": RECEIPT, "Finding": FINDING, "Return": RETURN}
#: Route → what it answers where all went well.
ANSWERS: dict[str, dict[str, Any]] = {
    "api_submit": {"allOf": [_named("Submission"), _object(receipt=_named("Receipt"))]},
    "api_submissions": _object(submissions=_list(_named("Submission"))),
    "api_submission": _named("Submission"),
    "api_findings": _object(submission=TEXT, findings=_list(_named("Finding"))),
    "api_receipt": _named("Receipt"),
    "api_hand_in": _named("Return"),
    "api_returns": _object(returns=_list(_named("Return"))),
    "api_return": _named("Return"),
    "api_return_findings": _object(**{"return": TEXT}, findings=_list(_named("Finding"))),
}
FILES = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    "explanations": {"type": "string", "description": "JSON:规则|表|单位|指标 → [原因代码, 说明]"},
                    "gaps_reason": {
                        "type": "string",
                        "description": "缺报原因,不少于 10 个字:有没有填的表或没有报的企业时请写明;不写则报送并记为“报送时没有说明”,写得太短则收下、审核而不报送(409)",
                    },
                    "unit_head": {"type": "string", "description": "单位负责人"},
                    "statistics_head": {"type": "string", "description": "统计负责人"},
                    "filled_by": {"type": "string", "description": "填表人"},
                    "telephone": {"type": "string", "description": "联系电话"},
                },
            }
        }
    },
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "一套表 报送接口", "version": "1", "description": "令牌在门户“账户”页申请;错误按 RFC 9457 返回,说明为中文。"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": SCHEMAS,
        },
    }  # fmt: skip


def operation(route: Route) -> dict[str, Any]:
    """One route as an operation."""
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.title,
        "parameters": [
            {"name": name, "in": "path", "required": True, "description": words, "example": example, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)", route.path)
            for words, example in [NUMBER_OF_RETURN if name == "number" and route.owner is Owner.RETURN else PARAMETERS[name]]
        ],
        "responses": {
            "201" if route.uploads else "200": {"description": "完成", "content": {"application/json": {"schema": ANSWERS.get(route.name, {"type": "object"})}}},
            "default": {"description": "没有办理", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
        },
    }  # fmt: skip
    if not route.is_public:
        found["security"] = [{"token": [route.scope]}]
    if route.uploads:
        found["requestBody"] = FILES
        found["parameters"].append(HEADERS["Idempotency-Key"])
    elif not route.is_public:
        found["parameters"].append(HEADERS["If-None-Match"])
        found["responses"]["304"] = {"description": "与程序已有的相同"}
    return found
