"""A portal on a port of this machine, and Debian's browser to look at it with."""

from __future__ import annotations

import html
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from starlette.routing import compile_path
from starlette.types import ASGIApp

from ytb.portal.route import Route
from ytb.portal.routes import ROUTES
from ytb.portal.server import FirmProtocol

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
#: Answers that are files: there is nothing to see.
NO_PAGE = ("static", "template", "marked", "original", "trail_csv", "health_json", "release_file")
_COMPILED = [(route, compile_path(route.path)[0]) for route in ROUTES if route.method == "GET"]


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The application on a free port, as ``ytb serve`` runs it; its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, http=FirmProtocol, log_level="error", access_log=False, lifespan="on"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("没有安装 chromium,浏览器测试跳过 / chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        made = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


def route_of(path: str) -> Route | None:
    """The route a GET of this path takes."""
    bare = path.partition("#")[0].partition("?")[0]
    return next((route for route, pattern in _COMPILED if pattern.match(bare)), None)


def pages_by_links(
    context: Any, address: str, first: str = "/", most: int = 120
) -> tuple[dict[str, tuple[object, ...]], list[str]]:
    """The path of the fullest page of each route that a signed-in person comes to by links alone → what it is made of
    (its route, how many headings, forms, tables); and dead links."""
    waiting, seen, dead = [(first, "")], {first}, list[str]()
    found: dict[str, tuple[int, str, tuple[object, ...]]] = {}
    while waiting:
        path, origin = waiting.pop(0)
        answer = context.request.get(address + path, max_redirects=3)
        route = route_of(answer.url.removeprefix(address))
        if route is None or not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        text = answer.text()
        if answer.status >= 400:
            dead.append(f"{origin} links to {path}: {answer.status}")
            continue
        if route.name not in found or len(text) > found[route.name][0]:
            made_of = (route.name, *(text.count(tag) for tag in ("<h2", "<form", "<table", "<svg")))
            found[route.name] = (len(text), answer.url.removeprefix(address), made_of)
        for link in re.findall(r'<a [^>]*?href="([^"#]*)', text):
            target = html.unescape(link)
            if target.startswith("?"):
                target = path.partition("?")[0] + target
            onward = route_of(target)
            is_new = target not in seen and target.startswith("/") and onward and onward.name not in NO_PAGE
            # Of one route a few addresses are looked at; the fullest of them is kept.
            if is_new and len(seen) < most and sum(route_of(one) is onward for one in seen) < 4:
                seen.add(target)
                waiting.append((target, path))
    return {path: made_of for _, path, made_of in found.values()}, dead
