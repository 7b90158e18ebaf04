"""Forms as they stream in, the limits on their size and speed, and what a broken one gets."""

from __future__ import annotations

import asyncio
import hashlib
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request

import ytb.portal
from warehouse.vault import Vault
from ytb.portal.limits import BodyLimits, BodyTooLargeError, BodyTooSlowError, GuardedBody
from ytb.portal.multipart import BadFormError, MultipartParser, Part, part_of
from ytb.portal.reading import read_form


def parsed(body: bytes, cuts: list[int]) -> list[tuple[Part, bytes]]:
    parser, found, content = MultipartParser("B"), [], b""
    part: Part | None = None
    edges = [0, *sorted(c % (len(body) + 1) for c in cuts), len(body)]
    for start, end in pairwise(edges):
        for item in parser.feed(body[start:end]):
            match item:
                case Part():
                    part, content = item, b""
                case bytes():
                    content += item
                case None:
                    assert part is not None
                    found.append((part, content))
    assert parser.is_complete
    return found


CONTENT = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"\r\n", b"--", b"-", b"\r", b"\n--", b"x"]), max_size=12).map(b"".join),
)


@given(contents=st.lists(CONTENT, max_size=4), cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_however_a_body_is_cut_its_parts_come_out_as_they_went_in(contents: list[bytes], cuts: list[int]) -> None:
    contents = [c for c in contents if b"\r\n--B" not in b"\r\n" + c]
    body = b"".join(
        f'--B\r\nContent-Disposition: form-data; name="f{n}"; filename="表 {n}.xlsx"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for n, content in enumerate(contents)
    )
    found = parsed(body + b"--B--\r\nepilogue", cuts)
    assert [(p.name, p.filename, c) for p, c in found] == [(f"f{n}", f"表 {n}.xlsx", c) for n, c in enumerate(contents)]


@pytest.mark.parametrize(
    ("line", "name", "filename"),
    [
        ('form-data; name="a"', "a", None),
        ('form-data; name="file"; filename=""', "file", ""),
        ('form-data; name="f"; filename="a\\"b.xlsx"', "f", 'a"b.xlsx'),
        ('form-data; name="f"; filename="a%22b.xlsx"', "f", 'a"b.xlsx'),
        ("form-data; name=f; filename*=UTF-8''%E8%A1%A8.xlsx", "f", "表.xlsx"),
        ('form-data; name="f"; filename="表.xlsx"; filename*=UTF-8\'\'other.xlsx', "f", "表.xlsx"),
        ('form-data; name="f"; filename="C:\\x\\表.xlsx"', "f", "表.xlsx"),
        ('form-data; name="f"; filename="../../a;b.xlsx"', "f", "../../a;b.xlsx"),
    ],
)
def test_names_as_browsers_and_programs_write_them(line: str, name: str, filename: str | None) -> None:
    assert part_of(line.encode()) == Part(name, filename)


@pytest.mark.parametrize(
    "body",
    [b"--B\r\nContent-Type: x\r\n\r\na\r\n--B--", b"--Bx\r\n\r\n", b"--B\r\nContent-Disposition: attachment\r\n\r\na\r\n--B--", b"--B\r\n" + b"x" * 9000],
)  # fmt: skip
def test_what_no_browser_sends_is_refused(body: bytes) -> None:
    with pytest.raises(BadFormError):
        list(MultipartParser("B").feed(body))


@pytest.mark.parametrize("boundary", ["", "x" * 71, "表"])
def test_an_impossible_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(BadFormError):
        MultipartParser(boundary)


def request_of(chunks: list[bytes], seen: list[list[int]], folder: Path, *, breaks: bool = False) -> Request:
    """A POST whose body comes in these chunks; ``seen`` takes the sizes of the staged files before each of them."""
    waiting = list(chunks)

    async def receive() -> dict[str, Any]:
        seen.append(sorted(path.stat().st_size for path in folder.glob("*.part")))
        if not waiting:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting) or breaks}

    headers = [(b"content-type", b"multipart/form-data; boundary=B")]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


HEAD = '--B\r\nContent-Disposition: form-data; name="file"; filename="表.xlsx"\r\n\r\n'.encode()


def test_a_file_streams_into_the_vault_while_it_is_hashed_and_is_kept_as_it_came(tmp_path: Path) -> None:
    vault, seen = Vault.open(tmp_path / "vault"), list[list[int]]()
    data = b"0123456789" * 1000
    chunks = [HEAD + data[:4000], data[4000:9000], data[9000:] + b"\r\n--B--\r\n"]
    form = asyncio.run(read_form(request_of(chunks, seen, vault.root / "tmp"), vault))
    assert seen == [[], [4000], [9000]]
    (file,) = form.files
    assert (file.name, file.staged.size, file.staged.sha256) == ("表.xlsx", 10000, hashlib.sha256(data).hexdigest())
    assert file.read() == data and not vault.has(file.staged.sha256)
    kept = vault.put(file.staged)
    form.close()
    assert vault.read(kept.sha256) == data and not list((vault.root / "tmp").iterdir())


@pytest.mark.parametrize(
    ("chunks", "breaks", "error"),
    [([HEAD + b"abc"], True, ClientDisconnect), ([HEAD + b"abc", b"\r\n--Bx"], False, BadFormError), ([HEAD + b"abc"], False, BadFormError)],
)  # fmt: skip
def test_a_body_that_breaks_off_leaves_nothing(
    tmp_path: Path, chunks: list[bytes], breaks: bool, error: type[Exception]
) -> None:
    vault = Vault.open(tmp_path / "vault")
    with pytest.raises(error):
        asyncio.run(read_form(request_of(chunks, [], vault.root / "tmp", breaks=breaks), vault))
    assert not list(vault.blobs()) and not list((vault.root / "tmp").iterdir())


def test_a_form_that_is_let_go_leaves_nothing_and_a_field_without_a_file_makes_none(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "vault")
    empty = HEAD.replace("表.xlsx".encode(), b"")
    chunks = [HEAD + b"abc\r\n" + empty + b"\r\n--B--"]
    form = asyncio.run(read_form(request_of(chunks, [], vault.root / "tmp"), vault))
    assert [one.read() for one in form.files] == [b"abc"]
    form.close()
    assert not list((vault.root / "tmp").iterdir())


def read_through(
    limits: BodyLimits, chunks: list[bytes], declared: int | None = None, times: list[float] | None = None
) -> tuple[int, type | None]:
    """How many bytes the application got, and what stopped it. ``times``: what the clock says at each look."""
    got, clock, waiting = 0, iter(times or [0.0] * 1000), list(chunks)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal got
        more = True
        while more:
            message = await receive()
            got += len(message.get("body", b""))
            more = message.get("more_body", False)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": waiting.pop(0), "more_body": True}

    headers = [] if declared is None else [(b"content-length", str(declared).encode())]
    guarded = GuardedBody(app, limits, lambda: next(clock))
    try:
        asyncio.run(guarded({"type": "http", "headers": headers}, receive, lambda m: None))  # type: ignore[arg-type, return-value]
    except (BodyTooLargeError, BodyTooSlowError) as stopped:
        return got, type(stopped)
    return got, None


def test_a_body_that_says_it_is_too_large_is_cut_off_before_a_byte_is_read() -> None:
    assert read_through(BodyLimits(size=100), [b"x" * 50] * 9, declared=101) == (0, BodyTooLargeError)


def test_a_body_that_lies_about_its_size_is_cut_off_at_the_limit() -> None:
    assert read_through(BodyLimits(size=100), [b"x" * 50] * 9, declared=10) == (100, BodyTooLargeError)


def test_a_stalled_body_is_given_up() -> None:
    assert read_through(BodyLimits(grace=0.05), [b"x"]) == (1, BodyTooSlowError)


def test_the_time_a_chunk_may_take_follows_from_the_least_rate_and_the_total() -> None:
    limits = BodyLimits(grace=10, rate=4096, total=120)
    assert limits.wait(0, 0) == 10
    assert limits.wait(10, 4096 * 5) == 5
    assert limits.wait(100, 4096 * 1000) == 20
    assert limits.wait(121, 4096 * 1000) < 0


def test_a_body_that_trickles_is_given_up_though_bytes_keep_coming() -> None:
    # One byte a second: at the twelfth look, ten seconds of grace are over.
    got, stopped = read_through(BodyLimits(), [b"x"] * 11, times=[0.0, *[float(n) for n in range(11)], 11.0, 12.0])
    assert (got, stopped) == (11, BodyTooSlowError)


def test_enter_in_a_field_decides_nothing_where_a_form_has_two_outcomes() -> None:
    """Browsers take the first button for Enter: a refusal's reason, typed and entered, published the release."""
    templates = Path(ytb.portal.__file__).with_name("templates")
    several = 0
    for template in sorted(templates.glob("*.j2")):
        for form in re.findall(r"<form\b.*?</form>", template.read_text(encoding="utf-8"), re.DOTALL):
            buttons = re.findall(r'<button\b(?![^>]*type="button")', form)
            if len(buttons) > 1 or 'name="decision"' in form:
                several += 1
                assert "csrf_field(csrf, decides=true)" in form, template.name
    assert several >= 8
