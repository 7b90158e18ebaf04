"""Writing so that it survives a crash: fsync of file and directory, and disk faults as StorageError in Chinese."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import StorageError

_CAUSES = {
    errno.ENOSPC: "磁盘空间已满,请清理磁盘后重新提交",
    errno.EDQUOT: "磁盘配额已用完,请清理磁盘后重新提交",
    errno.EIO: "磁盘读写出错,请立即检查磁盘,确认无误后重新启动系统并重新提交",
    errno.EROFS: "磁盘为只读,请检查磁盘状态后重新提交",
    errno.EACCES: "没有读写权限,请检查目录权限",
    errno.EPERM: "没有读写权限,请检查目录权限",
    errno.ENOENT: "目录不存在,也不能在那里建立,请检查路径",
    errno.EEXIST: "这个位置已有同名的文件,请换一个目录",
    errno.ENOTDIR: "路径的一部分是文件而不是目录,请检查路径",
    errno.EMFILE: "系统打开的文件过多,请稍后再试",
    errno.ENFILE: "系统打开的文件过多,请稍后再试",
}


def storage_error(doing: str, cause: OSError) -> StorageError:
    """The sentence for the operator; the number of the system error stands in brackets, no path of a park's file."""
    remedy = _CAUSES.get(cause.errno or 0, "请检查存储设备后重试")
    return StorageError(f"{doing}失败:{remedy}(系统错误 {cause.errno})。本次操作没有完成,已确认的数据不受影响。")


@contextmanager
def disk_faults(doing: str) -> Iterator[None]:
    """Turn an OSError of the enclosed block into a StorageError."""
    try:
        yield
    except OSError as cause:
        raise storage_error(doing, cause) from cause


def fsync_directory(path: Path) -> None:
    """Make the entries of a directory durable: a renamed file is only there after a crash once its directory is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte; ``os.write`` may take only part of them."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def create_durably(path: Path, content: bytes, *, mode: int = 0o644) -> bool:
    """Put a small file in place whole and once; False where it exists already, which is left as it is."""
    if path.exists():
        return False
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with disk_faults(f"写入 {path.name} "):
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            try:
                write_all(descriptor, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            try:
                path.hardlink_to(part)
            except FileExistsError:
                return False
        finally:
            part.unlink(missing_ok=True)
        fsync_directory(path.parent)
    return True


def replace_durably(path: Path, content: bytes) -> None:
    """Put a small file in place of the one that is there, whole or not at all; its mode stays."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with disk_faults(f"写入 {path.name} "):
        try:
            create_durably(part, content, mode=path.stat().st_mode & 0o777)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        fsync_directory(path.parent)
