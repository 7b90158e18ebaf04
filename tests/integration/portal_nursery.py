"""Forks processes that upload through the portal's own application, from the first byte of the body to the answer."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from pathlib import Path
from typing import Any

from tests.integration.upload_nursery import NOW, main, say
from tests.unit.ytb.portal_browser import call
from warehouse.home import open_home
from warehouse.ledger.access import hash_of
from ytb.portal import pages
from ytb.portal.application import create_app, portal_of
from ytb.portal.visit import Settings

PARK, PERIOD, COOKIE = "LBXQ", "2025-Q1", "the-session-of-a-clerk-under-test"
PATH = f"/park/{PARK}/{PERIOD}/submissions"


def upload(order: dict[str, Any]) -> None:
    """Upload ``count`` sets of files as a browser posts them; an answer that is no refusal is an acknowledgement."""
    chance = random.Random(order["seed"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    portal = portal_of(open_home(Path(order["home"])), lambda: NOW, Settings(workers=1))
    # What is examined here is the acknowledgement; checks wait for a way that never comes free.
    portal.examiner.give_way = lambda _: None  # type: ignore[method-assign]
    portal.examiner._clear.clear()
    app, token = create_app(portal), pages.csrf_token(portal, hash_of(COOKIE))
    # One task, and so one worker thread: injected faults are counted by the thread.
    asyncio.run(_uploads(order["count"], chance, app, token, log))


async def _uploads(count: int, chance: random.Random, app: Any, token: str, log: int) -> None:
    for _ in range(count):
        files = [chance.randbytes(chance.randrange(1, 200_000)) for _ in range(chance.randrange(1, 3))]
        for _attempt in range(3):
            answer = await _post(app, token, files)
            if answer.status == 303:
                number = answer.location.removeprefix("/submissions/")
                say(log, {"number": number, "files": [hashlib.sha256(file).hexdigest() for file in files]})
                break
            say(log, {"refused": answer.text, "status": answer.status})


async def _post(app: Any, token: str, files: list[bytes]) -> Any:
    parts = [f'--B\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n{token}\r\n'.encode()]
    for n, data in enumerate(files):
        head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{n}.xlsx"\r\n\r\n'
        parts.append(head.encode() + data + b"\r\n")
    body = b"".join([*parts, b"--B--\r\n"])
    headers = {
        "Host": "127.0.0.1", "Cookie": f"ytb_session={COOKIE}", "Origin": "http://127.0.0.1",
        "Content-Type": "multipart/form-data; boundary=B", "Content-Length": str(len(body)),
    }  # fmt: skip
    chunks = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    return await call(app, "POST", PATH, headers, chunks, "10.0.0.1")


if __name__ == "__main__":
    main(upload)
