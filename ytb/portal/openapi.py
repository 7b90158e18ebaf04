"""The OpenAPI 3.1 document of the interface for programs, generated from the route table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ytb.portal.route import Route

PARAMETERS = {
    "number": ("报送编号", "2025Q1-LBXQ-0001"),
    "park": ("园区代码", "LBXQ"),
    "period": ("报告期", "2025-Q1"),
}
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
FILES = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
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
            "schemas": {"Problem": PROBLEM},
        },
    }  # fmt: skip


def operation(route: Route) -> dict[str, Any]:
    """One route as an operation."""
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.title,
        "parameters": [
            {"name": name, "in": "path", "required": True, "description": PARAMETERS[name][0], "example": PARAMETERS[name][1], "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)", route.path)
        ],
        "responses": {
            "201" if route.uploads else "200": {"description": "完成", "content": {"application/json": {"schema": {"type": "object"}}}},
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
