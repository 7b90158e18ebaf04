"""``ytb serve``: the portal on this machine."""

from __future__ import annotations

import atexit
import os
import resource
import threading
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import RefusalError
from ytb.cli.output import progress
from ytb.cli.session import CALL

MOST_DESCRIPTORS = 16_384
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register(root: typer.Typer) -> None:
    """Hang the command on the root."""
    root.command("serve")(serve)


def serve(
    port: Annotated[int, typer.Option(help="端口")] = 8321,
    host: Annotated[str, typer.Option(help="监听地址;本机以外必须使用 HTTPS")] = "127.0.0.1",
    name: Annotated[list[str] | None, typer.Option(help="对外网址中的主机名,可多次")] = None,
    certificate: Annotated[Path | None, typer.Option(help="TLS 证书")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS 私钥")] = None,
    behind_https: Annotated[bool, typer.Option(help="前面有终止 HTTPS 的反向代理(只信任本机的代理)")] = False,
    redirect_port: Annotated[
        int | None, typer.Option(help="另听的明文端口(如 80),只转到 https;与 --certificate 同用")
    ] = None,
    second_factor: Annotated[
        bool | None, typer.Option(help="统计人员、管理员必须使用两步验证;缺省:HTTPS 时必须")
    ] = None,
    workers: Annotated[int, typer.Option(help="同时审核的工作簿数,0 为按处理器数")] = 0,
) -> None:
    """启动门户:园区填报、统计审核、系统管理。按 Ctrl+C 停止。"""
    # Only here: starting a server is the one command that needs these.
    import uvicorn

    from ytb.portal.application import create_app, portal_of
    from ytb.portal.redirecting import ToHttps
    from ytb.portal.server import FirmProtocol
    from ytb.portal.visit import Settings

    is_https = behind_https or (certificate is not None and key is not None)
    if host not in LOOPBACK and not is_https:
        raise RefusalError(
            "本机以外的地址必须使用 HTTPS:请给出 --certificate 和 --key,或在反向代理之后用 --behind-https。"
        )
    if redirect_port is not None and (certificate is None or key is None):
        raise RefusalError("--redirect-port 须与 --certificate、--key 同用;在反向代理之后由代理转到 https。")
    count = workers or max(os.cpu_count() or 1, 1)
    settings = Settings(
        hosts=Settings().hosts | {host} | set(name or ()),
        is_https=is_https,
        second_factor=is_https if second_factor is None else second_factor,
        workers=count,
    )
    portal = portal_of(CALL.home, CALL.clock, settings, office=CALL.office)
    atexit.register(portal.pool.close)
    # Connections that stall hold a descriptor each; the usual 1,024 would leave none for the files of honest uploads.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, MOST_DESCRIPTORS)), hard))
    shown = (name or [host])[0]
    progress(f"门户已启动:{'https' if is_https else 'http'}://{shown}:{port}/ (按 Ctrl+C 停止)")
    if redirect_port is not None:
        plain = uvicorn.Config(
            ToHttps(settings.hosts, port), host=host, port=redirect_port, http=FirmProtocol, log_level="warning",
            access_log=False, server_header=False, timeout_keep_alive=5, limit_concurrency=500, lifespan="off",
        )  # fmt: skip
        threading.Thread(target=uvicorn.Server(plain).run, name="to-https", daemon=True).start()
    uvicorn.run(
        create_app(portal), host=host, port=port, http=FirmProtocol, log_level="warning", access_log=False, server_header=False,
        date_header=True, ssl_certfile=certificate, ssl_keyfile=key, proxy_headers=behind_https, forwarded_allow_ips="127.0.0.1",
        timeout_keep_alive=15, timeout_graceful_shutdown=30, limit_concurrency=4000, lifespan="on",
    )  # fmt: skip
