"""Reading a posted form as it streams in: fields in memory, files into the vault's folder while they are hashed, all bounded."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from warehouse.vault import StagedFile, Vault
from ytb.portal.multipart import BadFormError, MultipartParser, Part
from ytb.portal.visit import Form, UploadedFile

MOST_FIELDS, MOST_FILES = 8000, 40
LARGEST_FIELD, LARGEST_PLAIN_FORM = 1 << 20, 2 << 20


async def read_form(request: Request, vault: Vault) -> Form:
    """The form of a POST. Files are staged in the vault while they come; who gets the form closes it.

    Raises BadFormError, BodyTooLargeError, BodyTooSlowError, StorageError, with nothing left behind.
    """
    kind, parameters = content_type(request.headers.get("content-type", ""))
    if kind == "multipart/form-data":
        return await _multipart(request, parameters.get("boundary", ""), vault)
    if kind == "application/x-www-form-urlencoded":
        return await _plain(request)
    if not await _has_body(request):
        return Form()
    raise BadFormError("content type")


def content_type(header: str) -> tuple[str, dict[str, str]]:
    """A Content-Type and its parameters."""
    kind, *parameters = header.split(";")
    pairs = (one.strip().partition("=") for one in parameters)
    return kind.strip().lower(), {name.lower(): value.strip('"') for name, _, value in pairs}


async def _has_body(request: Request) -> bool:
    async for chunk in request.stream():
        if chunk:
            return True
    return False


async def _plain(request: Request) -> Form:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_PLAIN_FORM:
            raise BadFormError("size")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace")
    except ValueError:
        raise BadFormError("fields") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


async def _multipart(request: Request, boundary: str, vault: Vault) -> Form:
    parser = MultipartParser(boundary)
    gathered = _Gathered(vault)
    try:
        async for chunk in request.stream():
            for item in parser.feed(chunk):
                gathered.take(item)
        if not parser.is_complete:
            raise BadFormError("incomplete")
    except BaseException:
        gathered.discard()
        raise
    return gathered.form()


class _Gathered:
    """What has come so far."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.fields: dict[str, list[str]] = {}
        self.files: list[UploadedFile] = []
        self.part: Part | None = None
        self.value = bytearray()
        self.file: StagedFile | None = None

    def take(self, item: Part | bytes | None) -> None:
        """One item of the parser."""
        match item:
            case Part():
                self.part, self.value = item, bytearray()
                if item.filename is not None:
                    self.file = self.vault.stage()
            case bytes() if self.file is not None:
                self.file.write(item)
            case bytes():
                self.value += item
                if len(self.value) > LARGEST_FIELD:
                    raise BadFormError("field")
            case None:
                self._end()

    def _end(self) -> None:
        part, file = self.part, self.file
        if part is None:
            return
        if file is not None:
            is_given = part.filename != "" or file.size > 0
            # A field for files in which none was chosen comes as one without name and content.
            if is_given:
                self.files.append(UploadedFile(part.filename or "", file))
            else:
                file.close()
        else:
            self.fields.setdefault(part.name, []).append(self.value.decode("utf-8", errors="replace"))
        if len(self.files) > MOST_FILES or sum(map(len, self.fields.values())) > MOST_FIELDS:
            raise BadFormError("too many")
        self.part = self.file = None

    def discard(self) -> None:
        """Close what was opened."""
        for one in self.files:
            one.staged.close()
        if self.file is not None:
            self.file.close()

    def form(self) -> Form:
        """The form."""
        return Form(self.fields, tuple(self.files))
