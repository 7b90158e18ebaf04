"""``ytb``: one command for statisticians, operators and scripts; exit codes as in docs/cli.md."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from schemas.errors import DefinitionError, RefusalError, StatisticsError, StorageError, SubmissionError
from ytb.cli import complaints
from ytb.cli.help_lines import HELP_LINES
from ytb.cli.session import CALL

FINDINGS, USAGE, FAULT = 1, 2, 3
# What typer raises for wrong words; it does not export the class itself, only this descendant of it.
COMMAND_LINE_ERROR: Any = typer.BadParameter.__mro__[2]

HELP = (
    "一套表:园区统计直报。公共选项可放在任何位置:--home 目录、--programme 制度目录、--json、--lang zh|en、--user 姓名。"
    "退出码:0 完成,1 有问题或被拒绝,2 用法或文件不可读,3 系统故障、占用或磁盘满。"
)
COMPLETION = "_YTB_COMPLETE"  # set by the shell when it asks for completions
# Which module holds which command: only what a call needs is imported, since some of it takes seconds.
COMMANDS = {
    "ytb.cli.programme": ("programme",),
    "ytb.cli.administration": ("init", "upgrade", "park", "user", "period", "register"),
    "ytb.cli.collection": ("template", "check", "submit", "receipt"),
    "ytb.cli.collating": ("collate",),
    "ytb.cli.history": ("import-history",),
    "ytb.cli.records": ("records",),
    "ytb.cli.reviewing": ("review", "remind"),
    "ytb.cli.querying": ("query",),
    "ytb.cli.correspondence": ("notice", "correction", "handover"),
    "ytb.cli.production": (
        "run", "publish", "releases", "withdraw", "diff", "reproduce", "trace", "warnings", "sql", "verify", "rebuild", "backup", "restore", "status", "dagster",
    ),
    "ytb.cli.standalone": ("index", "protect"),
    "ytb.cli.series": ("series",),
    "ytb.cli.rule_commands": ("rules", "correct"),
    "ytb.cli.evaluating": ("evaluation",),
    "ytb.cli.unit_data": ("unit-data",),
    "ytb.cli.demo": ("demo",),
    "ytb.cli.serving": ("serve",),
}  # fmt: skip


def app_for(arguments: Sequence[str]) -> typer.Typer:
    """The command tree: the one module that has the command asked for, all of them for completion and for a word that is
    none; where only the list of commands is asked for, their lines."""
    app = typer.Typer(
        name="ytb",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=HELP,
    )
    app.callback()(lambda: None)
    first = next((word for word in arguments if not word.startswith("-")), "")
    owner = [module for module, names in COMMANDS.items() if first in names]
    listing = not owner and COMPLETION not in os.environ and set(arguments) <= {"-h", "--help"}
    for module in owner or COMMANDS:
        names = COMMANDS[module]
        if listing and all(name in HELP_LINES for name in names):
            for name in names:
                app.command(name, help=HELP_LINES[name])(lambda: None)
        else:
            importlib.import_module(module).register(app)
    return app


def run() -> None:
    """The entry point: every error becomes one sentence and an exit code, never a traceback.

    Native libraries that print (the solver does) write to descriptor 1 past Python; they are sent to stderr, so that
    stdout holds the result and nothing else.
    """
    results = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = os.fdopen(results, "w", encoding="utf-8", errors="replace", buffering=1)
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        rest = shared_options(list(arguments))
        code = app_for(rest)(args=rest, prog_name="ytb", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.Exit as leaving:
        return leaving.exit_code
    except typer.Abort:
        return 130
    except COMMAND_LINE_ERROR as error:
        return complaints.complain(complaints.of_usage(error), USAGE)
    except StatisticsError as error:
        return complaints.complain(f"错误:{error.at_the_command_line}", exit_code_of(error))
    except BrokenPipeError:
        return 0
    except OSError as error:
        code = USAGE if error.errno in complaints.ABOUT_A_PATH else FAULT
        return complaints.complain(complaints.of_system(error), code)
    except Exception as error:  # the last line of defence: what is our fault is said to be, and kept for us
        log = _keep(traceback.format_exc())
        return complaints.complain(
            f"系统内部错误({type(error).__name__}),数据没有改动。详情已记入 {log},请交维护人员。", FAULT
        )


def exit_code_of(error: StatisticsError) -> int:
    """1 refusal, 2 unreadable input or a wrong definition, 3 storage."""
    match error:
        case RefusalError():
            return FINDINGS
        case SubmissionError() | DefinitionError():
            return USAGE
        case StorageError():
            return FAULT
    return FAULT


def shared_options(arguments: list[str]) -> list[str]:
    """Take ``--home``, ``--programme``, ``--json``, ``--lang`` and ``--user`` out of the arguments, wherever they stand."""
    rest: list[str] = []
    CALL.json, CALL.lang, CALL.home_option, CALL.actor, CALL.printed = False, "zh", None, "", False
    CALL.programme_option = None
    for cached in ("home", "programme", "office"):
        CALL.__dict__.pop(cached, None)
    queue = iter(arguments)
    for word in queue:
        if word == "--":
            return [*rest, word, *queue]
        name, equals, value = word.partition("=")
        if word == "--json":
            CALL.json = True
        elif name in ("--home", "--programme", "--lang", "--user"):
            given = value if equals else next(queue, "")
            if not given:
                raise typer.BadParameter(f"{name} 后面要写值。")
            if name == "--home":
                CALL.home_option = Path(given)
            elif name == "--programme":
                CALL.programme_option = Path(given)
            elif name == "--user":
                CALL.actor = given
            elif given in ("zh", "en"):
                CALL.lang = given
            else:
                raise typer.BadParameter("--lang 只能是 zh 或 en。")
        else:
            rest.append(word)
    return rest


def _keep(text: str) -> Path:
    folder = CALL.root if CALL.has_home else Path.cwd()
    log = folder / "ytb-error.log"
    try:
        with log.open("a", encoding="utf-8") as handle:
            handle.write(text + "\n")
    except OSError:
        return Path("(无法写入日志)")
    return log
