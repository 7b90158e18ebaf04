"""What the operator reads where a folder cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import StorageError
from warehouse.durable import disk_faults


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(StorageError, match="已有同名的文件,请换一个目录"), disk_faults("备份"):
        (tmp_path / "a").mkdir()
    with pytest.raises(StorageError, match="路径的一部分是文件"), disk_faults("备份"):
        (tmp_path / "a" / "b").mkdir(parents=True)
