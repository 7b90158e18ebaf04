"""The slip 交接单 with a one-time code, to hand over on paper where there is no mail: who, where, which code, what to do."""

from __future__ import annotations

from exports.pdf import document, paragraph, qr, table


def code_slip(
    *, organisation: str, name: str, title: str, role: str, place: str, code: str, address: str, made_at: str
) -> bytes:
    """One page as PDF. ``address``: where to sign in; only that is in the QR code. Equal arguments, equal bytes."""
    facts = [("姓名", title), ("用户名", name), ("角色", role), ("所属", place or "—"), ("生成时间", made_at)]
    steps = (
        "1. 用电脑浏览器打开上面的网址,填写用户名,在“口令”处填写一次性代码。",
        "2. 按页面要求设置自己的口令。一次性代码 14 天内有效,只能用来设置口令,设置后作废。",
        "3. 统计人员、管理员还须按页面要求启用两步验证。",
        "4. 本页请当面交给本人;用过后请销毁。一人一个账户,不得转借、共用。",
    )
    who = table([[paragraph(label, 9.5, quiet=True), text] for label, text in facts], (28, 106), ruled=False)
    story = [
        paragraph(f"{organisation or '统计机构'} 账户交接单", 16, bold=True, centred=True),
        table([[who, [qr(address), paragraph("登录网址", 8, centred=True, quiet=True)]]], (134, 40), ruled=False),
        paragraph("网址", 9.5, quiet=True),
        paragraph(address, 11, mono=True),
        paragraph("一次性代码", 9.5, quiet=True),
        paragraph(code, 20, mono=True),
        *(paragraph(step, 10) for step in steps),
    ]
    return document(f"账户交接单 {name}", story, foot="账户交接单,限本人")
