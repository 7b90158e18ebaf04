"""HOME, the one folder that holds everything of an installation: its paths, its configuration, its key."""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from schemas.errors import StorageError
from warehouse.durable import create_durably, disk_faults, fsync_directory, replace_durably

DEFAULT_HOME = "ytb-home"
FORMAT = 2
"""2: the programme may stand in a folder of its own, which a program of format 1 would pass over."""
_FOLDERS = ("vault", "warehouse", "warehouse/snapshots", "releases", "inbox", "outbox", "quarantine", "dagster", "keys")
_KEY_BYTES = 32
S = TypeVar("S")


@dataclass(frozen=True)
class OidcConfig:
    """``[oidc]``: the identity provider people may sign in through. ``claim`` names an existing user; ``second_factor``: the
    provider always asks for two factors. The client's secret is not here but in ``keys/oidc.secret``."""

    issuer: str
    client_id: str
    claim: str = "preferred_username"
    scope: str = "openid profile"
    label: str = "统一身份认证"
    second_factor: bool = False


@dataclass(frozen=True)
class UploadsConfig:
    """``[uploads]``: how many submissions a park may begin a day over portal and interface (0: any number), and the command
    that looks for viruses, as typed on a command line (empty: none)."""

    daily_quota: int = 200
    scanner: str = ""


@dataclass(frozen=True)
class Config:
    """``config.toml``. An empty ``ledger_url`` means SQLite in ``ledger.db``; otherwise a SQLAlchemy URL of PostgreSQL."""

    programme: str = "park"
    """A shipped programme by its code, or the absolute path of a programme's folder (``[programme] folder``)."""
    organisation: str = ""
    ledger_url: str = ""
    format: int = 1
    oidc: OidcConfig | None = None
    uploads: UploadsConfig = UploadsConfig()
    mail: Mapping[str, object] | None = None
    sms: Mapping[str, object] | None = None


@dataclass(frozen=True)
class Home:
    """The paths of one installation. Nothing here touches the disk; ``create_home`` and ``open_home`` do."""

    root: Path

    @property
    def vault(self) -> Path:
        """Files as they arrived and evidence made from them, named by their hash."""
        return self.root / "vault"

    @property
    def ledger(self) -> Path:
        """The ledger where it is SQLite."""
        return self.root / "ledger.db"

    @property
    def live(self) -> Path:
        """The DuckDB file of the one writer."""
        return self.root / "warehouse" / "live.duckdb"

    @property
    def snapshots(self) -> Path:
        """Immutable copies of the warehouse, for every reader."""
        return self.root / "warehouse" / "snapshots"

    @property
    def releases(self) -> Path:
        """One folder a release, with its manifest."""
        return self.root / "releases"

    @property
    def inbox(self) -> Path:
        """The drop folder."""
        return self.root / "inbox"

    @property
    def outbox(self) -> Path:
        """What goes back to parks: marked workbooks, receipts, reminders."""
        return self.root / "outbox"

    @property
    def quarantine(self) -> Path:
        """Files that could not be taken in."""
        return self.root / "quarantine"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.root / "dagster"

    @property
    def keys(self) -> Path:
        """Secrets, readable by the owner only."""
        return self.root / "keys"

    @property
    def receipt_key_file(self) -> Path:
        """The key of the verification codes on receipts."""
        return self.keys / "receipt.key"

    @property
    def config_file(self) -> Path:
        """The configuration."""
        return self.root / "config.toml"


def home_path(option: Path | None, environment: Mapping[str, str]) -> Path:
    """Where HOME is: ``--home``, else ``YTB_HOME``, else ``./ytb-home``."""
    return (option or Path(environment.get("YTB_HOME") or DEFAULT_HOME)).absolute()


def create_home(
    root: Path, *, now: datetime, organisation: str = "", ledger_url: str = "", programme: str = "park"
) -> Home:
    """Make a home, or complete one that an interruption left half made. An existing key or configuration is kept.

    The ledger's tables are made by ``warehouse.ledger.migrate.upgrade``.
    """
    home = Home(root.absolute())
    with disk_faults("建立数据目录"):
        # Figures of single units lie here: not for everybody on the machine.
        home.root.mkdir(mode=0o750, parents=True, exist_ok=True)
        for folder in _FOLDERS:
            (home.root / folder).mkdir(parents=True, exist_ok=True)
        home.keys.chmod(0o700)
    create_durably(home.receipt_key_file, secrets.token_bytes(_KEY_BYTES).hex().encode() + b"\n", mode=0o600)
    # Last: a folder counts as a home once its configuration stands.
    config = Config(programme=programme, organisation=organisation, ledger_url=ledger_url)
    create_durably(home.config_file, _config_text(config, home.root, now).encode(), mode=0o640)
    with disk_faults("建立数据目录"):
        for folder in ("warehouse", ""):
            fsync_directory(home.root / folder)
        fsync_directory(home.root.parent)
    return home


def open_home(root: Path) -> Home:
    """The home at ``root``. Raises StorageError where there is none."""
    home = Home(root.absolute())
    if not home.config_file.is_file():
        raise StorageError(f"{home.root} 不是一套表的数据目录:请先运行 ytb init,或用 --home 指明目录。")
    return home


def load_config(home: Home) -> Config:
    """The configuration. Raises StorageError for a file that is not valid or was written by a later version."""
    try:
        found = tomllib.loads(home.config_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise StorageError(f"配置文件 {home.config_file} 无法读取:{cause}。请改正后重试。") from cause
    version = found.get("format", FORMAT)
    if not isinstance(version, int) or version > FORMAT:
        raise StorageError(f"数据目录由更新的版本建立(format = {version}),请先升级程序。")
    ledger, programme = found.get("ledger", {}), found.get("programme", {})
    return Config(
        programme=_programme_named(home, programme),
        organisation=str(programme.get("organisation", "")),
        ledger_url=str(ledger.get("url", "")),
        format=version,
        uploads=_section(UploadsConfig, found, "uploads", home) if "uploads" in found else UploadsConfig(),
        mail=_table(found, "mail", home),
        sms=_table(found, "sms", home),
        oidc=_section(OidcConfig, found, "oidc", home) if "oidc" in found else None,
    )


def _programme_named(home: Home, table: Mapping[str, object]) -> str:
    if not (folder := str(table.get("folder", ""))):
        return str(table.get("code", "park"))
    return str((home.root / folder).resolve())  # a relative folder stands in the home and moves with it


def _folder_in(root: Path, folder: str) -> str:
    """How the configuration names a folder: one inside the home relative to it, so that both move together."""
    whole = root.resolve()
    return Path(folder).relative_to(whole).as_posix() if Path(folder).is_relative_to(whole) else folder


def remember_programme(home: Home, named: str) -> None:
    """Write into the configuration which programme the home has from now on, as ``Config.programme``; all else in it stays.

    Raises StorageError.
    """
    before = home.config_file.read_text(encoding="utf-8")
    is_folder = Path(named).is_absolute()
    said = json.dumps(_folder_in(home.root, named) if is_folder else named, ensure_ascii=False)
    line = f"{'folder' if is_folder else 'code'} = {said}"
    head, found, rest = before.partition("[programme]\n")
    section, following, after = rest.partition("\n[")
    kept = [one for one in section.split("\n") if not re.match(r"\s*(folder|code)\s*=", one)]
    body = "\n".join([line, *kept]) + following + after if found else f"{line}\n"
    versioned = re.sub(r"(?m)^format\s*=.*$", f"format = {2 if is_folder else 1}", head)
    text = f"{versioned}{'' if found else chr(10)}[programme]\n{body}"
    if _programme_named(home, tomllib.loads(text).get("programme", {})) != named:
        raise StorageError(f"配置文件 {home.config_file} 不能自动改写:请在 [programme] 一节写 {line}。")
    replace_durably(home.config_file, text.encode())


def _table(found: Mapping[str, object], name: str, home: Home) -> Mapping[str, object] | None:
    """A table that a plug-in reads, as it stands; None where there is none."""
    given = found.get(name)
    if given is not None and not isinstance(given, dict):
        raise StorageError(f"配置文件 {home.config_file} 的 [{name}] 有误:须为一节。")
    return given


def _section(kind: type[S], found: Mapping[str, object], name: str, home: Home) -> S:
    """One table of the configuration. Raises StorageError for a key it does not have, lacks, or has of another type."""
    given = found.get(name)
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    types: dict[str, type] = {"str": str, "bool": bool, "int": int}
    wrong = [] if isinstance(given, dict) else [name]
    values = dict(given) if isinstance(given, dict) else {}
    wrong += [
        key for key, value in values.items() if known.get(key) not in types or type(value) is not types[known[key]]
    ]
    if not wrong:
        try:
            return kind(**values)
        except TypeError:
            wrong = sorted(known.keys() - values.keys())
    raise StorageError(
        f"配置文件 {home.config_file} 的 [{name}] 有误:{'、'.join(wrong)}。请对照 docs/operations.md 改正。"
    )


def secret_of(home: Home, name: str) -> str:
    """A secret in ``keys/``, empty where there is none. Raises StorageError where others can read it."""
    path = home.keys / f"{name}.secret"
    if not path.is_file():
        return ""
    if path.stat().st_mode & 0o077:
        raise StorageError(f"密钥文件 {path} 可被他人读取:请执行 chmod 600,并确认密钥没有泄露。")
    return path.read_text(encoding="utf-8").strip()


def receipt_key(home: Home) -> bytes:
    """The HMAC key of receipts. Raises StorageError where it is missing, damaged, or readable by others."""
    path = home.receipt_key_file
    try:
        if path.stat().st_mode & 0o077:
            raise StorageError(f"密钥文件 {path} 可被他人读取:请执行 chmod 600,并确认密钥没有泄露。")
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as cause:
        raise StorageError(f"密钥文件 {path} 缺失或损坏:请从备份恢复 keys 目录。") from cause
    if len(key) != _KEY_BYTES:
        raise StorageError(f"密钥文件 {path} 长度不符:请从备份恢复 keys 目录。")
    return key


def _config_text(config: Config, root: Path, now: datetime) -> str:
    # A TOML basic string takes the escapes of a JSON string.
    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False)

    is_folder = Path(config.programme).is_absolute()
    named = _folder_in(root, config.programme) if is_folder else config.programme
    return f"""# 一套表数据目录的配置。改动后重新启动系统生效。
format = {2 if is_folder else 1}
created = {text(now.isoformat())}

[programme]
{"folder" if is_folder else "code"} = {text(named)}
organisation = {text(config.organisation)}    # 制定机关,印在回执上

[ledger]
url = {text(config.ledger_url)}    # 空:本目录下的 ledger.db(SQLite);或 postgresql+psycopg://用户@主机/库
"""
