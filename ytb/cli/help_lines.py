"""What ``ytb --help`` says of each command, so that it need not load them all (two seconds); a test holds it to them.

A command without a line here is loaded for its own.
"""

from __future__ import annotations

from typing import Final

HELP_LINES: Final = {
    "programme": "调查制度:检查、查看、比较、成书。",
    "init": "建立数据目录:文件库、台账、密钥,并载入制度所附园区名录。",
    "upgrade": "把台账升级到本版本。",
    "park": "园区名录。",
    "user": "用户与角色。",
    "period": "报告期:开网、关网、延期、进度。",
    "register": "单位名录库:先进库、后有数。",
    "template": "生成预填的填报模板:园区的,一家企业的,或每家企业各一个。",
    "check": "审核工作簿,不留任何记录。有数据目录时一并核对历史数据与名录库。",
    "submit": "报送一个园区一期的工作簿(可多个文件),取得回执。",
    "receipt": "回执:查看与核验。",
    "collate": "汇集企业自填的工作簿成为园区的报送:园区不增改企业的数,缺报和两处报的企业列名。",
    "import-history": "从其他版式的工作簿导入历史数据:先试运行,列出将入库的、没有对应的、单位换算和已有的数据。",
    "review": "验收:待审、查看、验收、退回、撤销验收;按对发布数的影响排序。",
    "remind": "催报:列出没有完成报送的园区和催报文字,缺报影响大的在前。文字里没有任何数值。",
    "query": "查询:审核人员就某一格发问,园区书面答复,写明如何了结。",
    "run": "计算一期的产品(内部结果,未经披露控制)。",
    "publish": "发布一期:披露控制、发布工作簿、Parquet、CSV、SDMX、看板、清单。",
    "releases": "列出发布。",
    "withdraw": "撤回发布,写明原因;文件保留并标记。",
    "diff": "两个发布之间的差异(修订表)。",
    "reproduce": "只凭清单把一个发布重做一遍,逐字节比较。",
    "trace": "从发布的一个数追到报送、工作表和单元格。",
    "sql": "对只读快照执行 SQL(in_force、published、mart、meta 各模式)。",
    "verify": "核验:留痕链、文件库哈希、台账与仓库一致、发布文件未变。",
    "rebuild": "删去仓库,从记录的观测重建,比较内容哈希。",
    "backup": "备份台账、文件库、密钥与发布(仓库可重建,不备份)。",
    "restore": "从备份恢复到 --home 指明的空目录,并重建仓库。",
    "status": "这个数据目录里有什么。",
    "dagster": "在本机打开 Dagster(没有登录,只监听 127.0.0.1)。",
    "index": "综合指数:任何“单位 × 指标”的表。",
    "protect": "给任何一张汇总表做披露控制:主抑制、次级抑制、攻击者检验。",
    "series": "时间序列:任何“报告期 × 数值”的表(docs/formats/series.md)。",
    "rules": "任意表的规则:审核、体检。",
    "correct": "找出每条不满足强制性规则的记录里最少要改哪些字段,认出常见差错;只列建议,不改数据。有建议时退出码为 1。",
    "evaluation": "评价:建议与证据、等级处置、整改、申诉、升级条件、文件提供的数据。",
    "demo": "造一个可信的省份,从模板到发布走一遍:填报、埋错、查错、改正、验收、监测、指数、发布。",
    "serve": "启动门户:园区填报、统计审核、系统管理。按 Ctrl+C 停止。",
}
