"""What the command line says when it cannot do what was asked: in the language of the call, and for programs as JSON."""

from __future__ import annotations

import errno
import json
import re
import sys
from typing import Any, Final

from ytb.cli.session import CALL

# What the parser of the command line says, in order of looking; the rest of a sentence is translated in turn.
PHRASES: Final = (
    (r"No such option: (\S+)", r"没有选项 \1"),
    (r"\(Possible options: (.+)\)", r"(相近的有 \1)"),
    (r"No such command '(.+?)'\.", r"没有命令“\1”。"),
    (r" ?Did you mean (.+)\?", r"是不是 \1?"),
    (r"Missing option '(\S+)' / '(\S+)'\.", r"缺少选项 \1(\2)。"),
    (r"Missing option '(.+?)'\.", r"缺少选项 \1。"),
    (r"Missing argument '(.+?)'\.", r"缺少参数 \1。"),
    (r"Missing command\.", "缺少命令。"),
    (r"Got unexpected extra arguments?(?:\(s\))? \((.+)\)", r"多出参数 \1"),
    (r"Option '(.+?)' requires an argument\.", r"选项 \1 后面要写值。"),
    (r"Option '(.+?)' requires (\d+) arguments\.", r"选项 \1 后面要写 \2 个值。"),
    (r"Option '(.+?)' does not take a value\.", r"选项 \1 不带值。"),
    (r"Invalid value for '(.+?)': ", r"\1 的值不对:"),
    (r"Invalid value: ", ""),
    (r"Value error, ", ""),
    (r"Input should be a valid integer.*", "应为整数"),
    (r"Input should be a valid number.*", "应为数"),
    (r"Input should be a valid boolean.*", "应为是或否"),
    (r"Input should be greater than or equal to (\S+)", r"不能小于 \1"),
    (r"Input should be less than or equal to (\S+)", r"不能大于 \1"),
    (r"'(.*?)' is not one of (.+?)\.", r"“\1”不在 \2 之中。"),
)
SYSTEM: Final = {
    errno.ENOENT: "找不到文件或文件夹",
    errno.EISDIR: "这是文件夹,不是文件",
    errno.ENOTDIR: "这是文件,不是文件夹",
    errno.EEXIST: "已有同名的文件",
    errno.EACCES: "没有权限",
    errno.EPERM: "没有权限",
    errno.ENAMETOOLONG: "文件名过长,请改短再试",
    errno.ENOSPC: "磁盘空间已满",
    errno.EROFS: "磁盘只读",
}
# Errors of the system that are about a path somebody gave, not about the machine.
ABOUT_A_PATH: Final = frozenset(
    (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EACCES, errno.ENAMETOOLONG)
)


def complain(text: str, code: int) -> int:
    """Say ``text`` on stderr; with ``--json`` also the one JSON document on stdout, unless there is one. Returns ``code``.

    The document holds what comes after the last "错误:" that begins a line: the usage before it is for people.
    """
    if text:
        print(text, file=sys.stderr)  # noqa: T201
    if CALL.json and not CALL.printed:
        message = re.split(r"^(?:错误:|Error: )", text or "缺少命令。", flags=re.MULTILINE)[-1].strip()
        sys.stdout.write(json.dumps({"ok": False, "exit": code, "error": message}, ensure_ascii=False, indent=1) + "\n")
        CALL.printed = True
    return code


def of_usage(error: Any) -> str:
    """A wrong command line: the usage of the command, and what is wrong. Empty where the help has been shown instead."""
    message = error.format_message()
    if not message:
        return ""
    if CALL.lang == "en":
        head, usage, hint = "Error: ", "", "Try '{}' for help."
    else:
        head, usage, hint = "错误:", "用法:", "用 {} 查看用法。"
        message = in_chinese(message)
    if error.ctx is None:
        return f"{head}{message}"
    shown = " ".join(error.ctx.get_usage().split())
    shown = shown.replace("Usage: ", usage, 1) if usage else shown
    return f"{shown}\n{hint.format(error.ctx.command_path + ' -h')}\n{head}{message}"


def in_chinese(message: str) -> str:
    """A sentence of the parser in Chinese; words of ours, which are Chinese already, stay as they are."""
    for pattern, said in PHRASES:
        message = re.sub(pattern, said, message)
    return message


def of_system(error: OSError) -> str:
    """An error of the operating system, with the path it is about."""
    said = error.strerror or str(error)
    if CALL.lang == "en":
        return f"Error: {said}{': ' + str(error.filename) if error.filename else ''}"
    said = SYSTEM.get(error.errno or 0, said)
    return f"错误:{said}{':' + str(error.filename) if error.filename else ''}"
