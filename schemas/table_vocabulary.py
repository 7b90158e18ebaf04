"""The functions of the rule language for any table. Closed, and apart from the programme's vocabulary (schemas.syntax).

``docs/rules.md`` prints this list; a test holds the two together and evaluates every example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BY = "by"
MISSING = "missing"
ROW, COLUMN = "row", "column"


@dataclass(frozen=True)
class TableFunction:
    """One function: how many arguments, which options, what it says (Chinese) and an example."""

    name: str
    chapter: str
    least: int
    most: int | None
    meaning: str
    example: str
    options: tuple[str, ...] = ()


def _chapter(title: str, *rows: tuple[str, int, int | None, str, str, str]) -> tuple[TableFunction, ...]:
    return tuple(
        TableFunction(name, title, least, most, meaning, example, tuple(options.split()))
        for name, least, most, options, meaning, example in rows
    )


_LIST: tuple[TableFunction, ...] = (
    *_chapter(
        "空值 missing",
        ("is_missing", 1, 1, "", "为空;结果只有真、假(isnull、is_na 同义)", "is_missing(profit)"),
        ("is_present", 1, 1, "", "不为空(notnull 同义)", "is_present(profit)"),
        ("is_complete", 1, None, "", "所列各列都不为空", "is_complete(staff, turnover)"),
        ("n_missing", 1, None, "", "所列各列中空的个数", "n_missing(staff, turnover, profit) <= 1"),
        ("nz", 1, 1, "", "空作 0", "nz(other.rev) >= 0"),
        ("coalesce", 1, None, "", "第一个不为空的值", "coalesce(profit, 0) >= -500"),
    ),
    *_chapter(
        "数 numbers",
        ("abs", 1, 1, "", "绝对值", "abs(profit) <= turnover"),
        ("sign", 1, 1, "", "符号:-1、0、1", "sign(staff) >= 0"),
        ("round", 1, 2, "", "四舍五入到第二个参数位小数(五入离零),省略为 0", "round(turnover / 3, 1) >= 0"),
        ("floor", 1, 1, "", "不大于它的最大整数", "floor(turnover / 10) >= 0"),
        ("ceil", 1, 1, "", "不小于它的最小整数", "ceil(turnover / 10) >= 0"),
        ("trunc", 1, 1, "", "去掉小数", "trunc(turnover / 10) >= 0"),
        ("mod", 2, 2, "", "余数,与除数同号", "mod(staff, 1) == 0"),
        ("pow", 2, 2, "", "乘方(浮点)", "pow(staff, 2) >= 0"),
        ("sqrt", 1, 1, "", "平方根(浮点);负数不定", "sqrt(staff) <= 100"),
        ("exp", 1, 1, "", "e 的乘方(浮点)", "exp(0) == 1"),
        ("log", 1, 2, "", "自然对数,第二个参数为底(浮点);零与负数不定", "log(turnover) > 0"),
        ("log10", 1, 1, "", "常用对数(浮点)", "log10(turnover) <= 7"),
        ("max", 1, None, "by missing", "两个以上参数:逐行最大,任一为空即不定;一个参数:整列(或组)最大",
         "max(profit, 0) <= turnover"),
        ("min", 1, None, "by missing", "同 max,取最小", "min(staff, turnover) >= 0"),
        ("in_range", 3, 3, "strict", "在两界之间(含界;strict = true 不含);也用于日期和期别文字",
         "in_range(staff, 0, 100)"),
    ),
    *_chapter(
        "文字与格式 text",
        ("length", 1, 1, "", "字符数", "length(id) == 5"),
        ("field_length", 1, 3, "", "字符数等于 n,或在 min、max 之间", "field_length(id, 5)"),
        ("matches", 2, 2, "", "含有与正则表达式相符的部分;整格相符要写 ^…$", "matches(id, '^RET[0-9]{2}$')"),
        ("field_format", 2, 2, "", "整格与通配式相符,* 代表任意字符", "field_format(id, 'RET*')"),
        ("number_format", 2, 2, "", "单元格原文的数字版式:d 一位数字,* 任意多个字符", "number_format(incl.prob, '0.dd')"),
        ("starts_with", 2, 2, "", "以…开头", "starts_with(size, 'sc')"),
        ("ends_with", 2, 2, "", "以…结尾", "ends_with(size, '3')"),
        ("contains", 2, 2, "", "含有", "contains(size, 'c')"),
        ("substr", 2, 3, "", "从第 n 个字符(从 1 起)取 m 个", "substr(size, 1, 2) == 'sc'"),
        ("upper", 1, 1, "", "大写", "upper(size) == 'SC1'"),
        ("lower", 1, 1, "", "小写", "lower(size) == size"),
        ("trim", 1, 1, "", "去掉首尾空白", "trim(size) == size"),
        ("concat", 1, None, "", "连接成文字", "concat(size, '-', id) != ''"),
        ("number", 1, 1, "", "文字读成数,不是数字则不定", "number(substr(id, 4, 2)) >= 1"),
        ("raw", 1, 1, "", "单元格原文", "raw(incl.prob) != '0.1'"),
        ("valid_uscc", 1, 1, "", "统一社会信用代码校验位正确(GB 32100)", "valid_uscc(uscc)"),
    ),
    *_chapter(
        "日期与期别 dates",
        ("date", 1, 1, "", "文字读成日期,不是日期则不定", "date(founded) <= date('2025-12-31')"),
        ("year", 1, 1, "", "年", "year(date(founded)) >= 1949"),
        ("quarter", 1, 1, "", "季", "quarter(date(founded)) <= 4"),
        ("month", 1, 1, "", "月", "month(date(founded)) <= 12"),
        ("day", 1, 1, "", "日", "day(date(founded)) <= 31"),
        ("days_between", 2, 2, "", "第二个日期减第一个的天数", "days_between(date('2025-01-01'), date('2025-03-31')) == 89"),
        ("period_index", 1, 1, "", "期别文字排成连续的整数:2024、2024Q1、2024-Q1、2024M01、2024-01;不是期别则不定",
         "period_index(period) >= period_index('2014')"),
    ),
    *_chapter(
        "代码 codes",
        ("in_codelist", 2, 3, "", "在代码表中;第三个参数是键,只看代码表 key 列等于它的代码", "in_codelist(size, 'size')"),
    ),
    *_chapter(
        "唯一与完整 uniqueness",
        ("is_unique", 1, None, "", "所列各列的组合只出现一次;空与空相等,全空不定", "is_unique(id)"),
        ("all_unique", 1, None, "", "整表判一次:没有重复的组合", "all_unique(id)"),
        ("all_complete", 1, None, "", "整表判一次:所列各列没有空", "all_complete(id, size)"),
    ),
    *_chapter(
        "汇总 aggregates",
        ("count", 0, 1, "by missing", "记录数;参数是条件时为真的记录数;参数是值时不为空的记录数", "count() >= 60"),
        ("sum", 1, 1, "by missing", "合计", "sum(profit, missing = 'skip') >= 0"),
        ("mean", 1, 1, "by missing", "平均", "mean(profit, missing = 'skip') >= 1"),
        ("median", 1, 1, "by missing", "中位数", "turnover <= 10 * median(turnover, by = size, missing = 'skip')"),
        ("quantile", 2, 2, "by missing", "分位数,线性内插(R 第 7 型)", "staff <= quantile(staff, 0.99, missing = 'skip')"),
        ("sd", 1, 1, "by missing", "标准差,除以 n-1", "sd(staff, missing = 'skip') > 0"),
        ("var", 1, 1, "by missing", "方差,除以 n-1", "var(staff, missing = 'skip') > 0"),
        ("mad", 1, 1, "by missing constant", "绝对中位差 × 1.4826(constant 可改)", "mad(staff, missing = 'skip') > 0"),
        ("n_distinct", 1, 1, "by missing", "不同值的个数", "n_distinct(size) == 4"),
        ("any", 1, 1, "by", "有一条为真;没有真而有不定则不定", "any(size == 'sc0')"),
        ("all", 1, 1, "by", "每条都真;没有假而有不定则不定", "all(is_present(id))"),
        ("exists_any", 1, 1, "by", "同 any,但每条记录各判一次", "exists_any(staff > 0, by = size)"),
        ("exists_one", 1, 1, "by", "组内恰有一条为真,每条记录各判一次", "exists_one(role == 'h', by = household)"),
        ("share", 1, 1, "by missing", "占合计的比重", "share(turnover, by = size, missing = 'skip') <= 0.9"),
        ("cor", 2, 2, "missing", "相关系数", "cor(turnover, staff, missing = 'skip') > 0"),
        ("rank", 1, 1, "by", "从大到小的名次,并列取小", "rank(turnover, by = size) >= 1"),
        ("top_share", 2, 2, "by missing", "最大的 n 个占合计的比重", "top_share(turnover, 1, by = size, missing = 'skip') <= 1"),
        ("value_of", 2, 2, "by", "组内条件为真的那一条记录的值;没有或不止一条则不定",
         "value_of(value, measure == 'gdp', by = (region, period)) > 0"),
        ("lag", 1, 2, "by order", "组内按 order 排在前 n 条(默认 1)的记录的值", "lag(value, by = (region, measure), order = period) > 0"),
    ),
    *_chapter(
        "组内离群 outliers",
        ("z_score", 1, 1, "by", "(x - 平均) / 标准差,统计量略去空值", "abs(z_score(staff)) <= 8"),
        ("robust_z", 1, 1, "by", "(x - 中位数) / (1.4826 × 绝对中位差)", "abs(robust_z(turnover, by = size)) <= 50"),
        ("within_fences", 1, 2, "by", "在四分位栅栏 [Q1 - k·IQR, Q3 + k·IQR] 之内,k 默认 1.5", "within_fences(turnover, 3, by = size)"),
        ("hb", 1, 2, "by", "max(x / 参照, 参照 / x) - 1(R validate 的 hb);参照默认为(组)中位数", "hb(turnover, by = size) <= 100"),
        ("hb_effect", 2, 2, "by u", "Hidiroglou–Berthelot 效应 E = s·max(x, y)^u,u 默认 0.5", "abs(hb_effect(turnover, vat)) <= 1000"),
        ("hb_within", 2, 2, "by u a c pct", "效应在 [E_M - c·max(E_M - E_Q1, |a·E_M|), E_M + c·max(E_Q3 - E_M, |a·E_M|)] 之内;u、a、c、pct 默认 0.5、0.05、4、0.25(E_Q1、E_Q3 的分位)",
         "hb_within(turnover, vat, u = 0.4, c = 20)"),
    ),
    *_chapter(
        "序列 sequences",
        ("is_linear_sequence", 1, 1, "by begin end", "整表判一次:(各组)排序后等距、无缺口", "is_linear_sequence(year_no, by = region)"),
        ("in_linear_sequence", 1, 1, "by begin end", "同上,每条记录各判一次", "in_linear_sequence(year_no, by = region)"),
        ("no_gaps", 1, 1, "by step", "组内排序后每步恰为 step(默认 1),没有缺口、没有重复;每条记录各判一次", "no_gaps(year_no, by = region)"),
    ),
    *_chapter(
        "部分与整体 parts",
        ("part_whole", 3, 4, "by missing", "(组内)部分之和等于整体;整体、部分写标签、标签列表,或 rx('正则')、glob('通配');不写部分则其余都是部分",
         "part_whole(value, region, 'Total', by = (measure, period))"),
        ("hierarchy", 3, 3, "by missing", "代码表(有 parent 列)规定的各级之和都相等;参加的汇总有一个不等即不成立",
         "hierarchy(value, region, 'regions', by = (measure, period))"),
        ("contains_exactly", 1, 1, "by", "(组内)恰有另一张表(--other 或 [[keys]])列出的各个组合,不多不少不重", "contains_exactly('keys', by = measure)"),
        ("contains_at_least", 1, 1, "by", "(组内)至少有列出的各个组合", "contains_at_least('keys', by = measure)"),
        ("contains_at_most", 1, 1, "", "本记录的组合在所列之中", "contains_at_most('keys')"),
        ("does_not_contain", 1, 1, "", "本记录的组合不在所列之中;所列可用 * 通配", "does_not_contain('forbidden')"),
    ),
    *_chapter(
        "前期 earlier periods",
        ("prev", 1, 1, "", "--previous 中同一键的值;表内有 period 列时为上一期", "turnover <= 3 * prev(turnover)"),
        ("yoy", 1, 1, "", "上年同期的值(没有 period 列时同 prev)", "turnover <= 3 * yoy(turnover)"),
        ("last", 1, 1, "", "以前各期中最近一次不为空的值", "is_present(last(turnover)) or staff > 0"),
        ("growth", 1, 1, "", "x / prev(x) - 1", "in_range(growth(turnover), -0.5, 2)"),
        ("in_previous", 0, None, "", "--previous 中有同一键的记录", "in_previous()"),
    ),
    *_chapter(
        "另一张表、上级与下级 other records",
        ("register", 1, None, "", "--register 中同一键(或所给的键)的该列", "size == register('size')"),
        ("in_register", 0, None, "", "在 --register 中", "in_register(id)"),
        ("other", 2, None, "", "--other 名称的表中同一键(或所给的键)的该列", "turnover == other('tax', 'turnover', id)"),
        ("in_other", 1, None, "", "在那张表中", "in_other('tax', id)"),
        ("other_sum", 2, None, "missing", "那张表中同一键各行该列之和;没有行为 0", "turnover >= other_sum('lines', 'amount', id)"),
        ("other_count", 1, None, "", "那张表中同一键的行数", "other_count('lines', id) >= 1"),
        ("other_mean", 2, None, "missing", "平均", "other_mean('lines', 'amount', id) >= 0"),
        ("other_max", 2, None, "missing", "最大", "other_max('lines', 'amount', id) <= turnover"),
        ("other_min", 2, None, "missing", "最小", "other_min('lines', 'amount', id) >= 0"),
        ("parent", 1, 1, "", "上级记录的值;parent(parent(x)) 为上上级", "employees <= parent(employees)"),
        ("has_parent", 0, 0, "", "上级记录在表中", "is_missing(group) or has_parent()"),
        ("children_sum", 1, 1, "missing", "下级记录之和;没有下级为 0", "children_count() == 0 or employees == children_sum(employees)"),
        ("children_count", 0, 1, "", "下级记录数;参数是条件时为真的下级数", "children_count() <= 99"),
        ("children_mean", 1, 1, "missing", "下级平均", "children_mean(employees) >= 0 or children_count() == 0"),
        ("children_max", 1, 1, "missing", "下级最大", "nz(children_max(employees)) <= employees"),
        ("children_min", 1, 1, "missing", "下级最小", "nz(children_min(employees)) <= employees"),
    ),
)  # fmt: skip

TABLE_FUNCTIONS: Mapping[str, TableFunction] = {f.name: f for f in _LIST}

SYNONYMS: Mapping[str, str] = {
    "isnull": "is_missing",
    "is_na": "is_missing",
    "notnull": "is_present",
    "pmax": "max",
    "pmin": "min",
    "part_whole_relation": "part_whole",
    "nrow": "count",
    "nchar": "length",
    "unique": "is_unique",
    "hidiroglou_berthelot": "hb_within",
}
"""Other spellings people bring along; each is the function named beside it."""

GROUPED = (
    "count",
    "sum",
    "mean",
    "median",
    "quantile",
    "sd",
    "var",
    "mad",
    "min",
    "max",
    "n_distinct",
    "share",
    "any",
    "all",
)
"""Also as ``group_sum(x, region, year)`` and ``sum_by(x, region, year)``: the groups follow the value.

``group_count(region, year)`` takes groups only; records that meet a condition are ``count(x > 0, by = region)``.
"""
