"""What the pool and its children say to each other. A child that a file has taken over must not take over the parent."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import io
import pickle
import struct
from collections.abc import Callable
from typing import Any

import polars as pl

from schemas.errors import StatisticsError

HEADER = struct.Struct("<BQ")
LARGEST_REPLY = 1 << 30
OUR_PACKAGES = ("schemas", "sources", "warehouse", "exports", "pipelines")
PLAIN = {
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("builtins", "complex"),
    ("collections", "OrderedDict"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
}


class Status(enum.IntEnum):
    """How a job ended."""

    RESULT = 1
    REFUSED = 2
    FAILED = 3
    EXHAUSTED = 4
    PANICKED = 5


def function_path(function: Callable[..., Any] | str) -> str:
    """``module:name`` of a function another process can import. Raises ValueError for one it cannot."""
    if isinstance(function, str):
        return function
    module, name = function.__module__, function.__qualname__
    if module == "__main__" or "<" in name:
        raise ValueError(f"{module}:{name} cannot be imported by a child process")
    return f"{module}:{name}"


def resolved(path: str) -> Callable[..., Any]:
    """The function behind a path."""
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


class _Packer(pickle.Pickler):
    """Frames and series leave as Arrow IPC."""

    def persistent_id(self, obj: Any) -> Any:
        """(kind, bytes) of a frame; None for what is pickled as usual."""
        if isinstance(obj, pl.DataFrame | pl.Series):
            frame = obj.to_frame("") if isinstance(obj, pl.Series) else obj
            buffer = io.BytesIO()
            frame.write_ipc(buffer, compression="uncompressed")
            return ("series" if isinstance(obj, pl.Series) else "frame", getattr(obj, "name", ""), buffer.getvalue())
        return None


class _Opener(pickle.Unpickler):
    """Names only plain values, polars types and our dataclasses, enumerations and errors; never a function."""

    def persistent_load(self, pid: Any) -> Any:
        """A frame or series from Arrow IPC."""
        kind, name, content = pid
        frame = pl.read_ipc(io.BytesIO(content))
        return frame.to_series().alias(name) if kind == "series" else frame

    def find_class(self, module_name: str, global_name: str) -> Any:
        """A class that a reply may name."""
        if (module_name, global_name) in PLAIN:
            return getattr(importlib.import_module(module_name), global_name)
        if module_name.split(".")[0] in OUR_PACKAGES and "." not in global_name:
            found = getattr(importlib.import_module(module_name), global_name)
            if isinstance(found, type) and (
                dataclasses.is_dataclass(found) or issubclass(found, enum.Enum | StatisticsError)
            ):
                return found
        if module_name == "polars.datatypes.classes":
            found = getattr(pl, global_name, None)
            if isinstance(found, type) and issubclass(found, pl.DataType):
                return found
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not data")


def pack(value: Any) -> bytes:
    """A result as bytes."""
    buffer = io.BytesIO()
    _Packer(buffer, protocol=5).dump(value)
    return buffer.getvalue()


def unpack(content: bytes) -> Any:
    """A result from bytes of a child. Raises UnpicklingError for anything that is not data."""
    return _Opener(io.BytesIO(content)).load()
