"""Why a file is refused: a stable code each, and a sentence that tells a clerk what is wrong and how to mend it."""

from __future__ import annotations

from schemas.errors import SubmissionError

RESAVE = "请用 WPS 或 Excel 打开该文件,另存为 .xlsx 后重新上传。"
USE_TEMPLATE = "请下载本期模板,把数据粘贴(只粘贴数值)到模板中再上传。"
DAMAGED = "文件可能在传输或保存时损坏,请在 WPS 或 Excel 中重新打开、保存后再上传;打不开的,请重新填报。"
SUSPECT = "该文件不是由 WPS 或 Excel 正常保存的。" + RESAVE

REFUSALS: dict[str, str] = {
    # the file as a whole
    "empty": "文件是空的(0 字节)。请检查文件是否已保存完整,然后重新上传。",
    "too_large": "文件大小为 {size},超过 20 MB 上限。请删除图片、多余工作表和空白格式行后另存为 .xlsx,再上传。",
    "wrong_type": "不接收这种文件({found})。请上传 .xlsx、.xls、.et、.ods、.xlsb、.xlsm 或 .csv 文件;"
    "单位装有文件加密软件的,请先解密再上传。",
    "pdf": "这是 PDF 文件,不是电子表格。请上传用模板填写的 .xlsx 文件。",
    "html_as_xls": "该文件实际是网页(HTML),不是电子表格。" + RESAVE,
    "xml_as_xls": "该文件是 XML 格式的旧表格。" + RESAVE,
    "text_as_workbook": "文件扩展名是 {extension},内容却是纯文本(如 CSV)。请把扩展名改为 .csv,或在 WPS/Excel 中另存为 .xlsx 后上传。",
    "archive": "这是压缩包({found}),不是电子表格。请先解压,再上传其中的表格文件。",
    "not_a_workbook": "文件里没有工作表(可能是 Word、PPT 等其他文件改了扩展名)。请上传用模板填写的 .xlsx 文件。",
    "encrypted": "文件有打开密码,请在 WPS/Excel 中取消密码后重新上传。({found})",
    "truncated": "文件不完整,只有前面一部分。" + DAMAGED,
    "damaged": "文件内部已损坏({found}),无法读取。" + DAMAGED,
    "unreadable": "文件无法读取({found})。" + RESAVE,
    "too_costly": "读取该文件耗用的时间或内存超过上限。" + USE_TEMPLATE,
    # the zip container
    "zip_prefix": "文件开头夹带了其他内容。" + SUSPECT,
    "zip_trailing": "文件末尾夹带了其他内容,或注释长度不符。" + SUSPECT,
    "zip_multidisk": "文件是分卷压缩的一部分,不完整。" + SUSPECT,
    "zip_entries": "文件内部的部件有 {found} 个,超过 {limit} 个上限。" + USE_TEMPLATE,
    "zip_duplicate": "文件内部有重名的部件({found}),不能确定以哪个为准。" + SUSPECT,
    "zip_traversal": "文件内部有不合规的部件名({found})。" + SUSPECT,
    "zip_method": "文件内部使用了不支持的压缩方式({found})。" + SUSPECT,
    "zip_overlap": "文件内部的部件互相重叠({found})。" + SUSPECT,
    "zip_size_lie": "文件内部登记的大小与实际不符({found})。" + SUSPECT,
    "expands_too_much": "文件解压后有 {found},超过上限 {limit}。" + USE_TEMPLATE,
    "ratio": "文件内部的 {found} 压缩比异常,解压后过大。" + USE_TEMPLATE,
    # XML
    "doctype": "文件内部含有 DOCTYPE 或实体定义({found}),可能是攻击文件。" + SUSPECT,
    "bad_xml": "文件内部结构损坏({found})。" + DAMAGED,
    "too_deep": "文件内部结构嵌套过深({found})。" + SUSPECT,
    "too_many_attributes": "文件内部结构异常,一个元素的属性过多({found})。" + SUSPECT,
    # sheets
    "too_many_sheets": "工作簿有 {found} 张工作表,超过 {limit} 张上限。请删除与本次填报无关的工作表。",
    "too_many_cells": "工作表“{sheet}”的单元格超过 {limit} 个。" + USE_TEMPLATE,
    "too_many_rows": "工作表“{sheet}”在第 {found} 行还有内容,超过 {limit} 行上限。请删除末尾多余的行后保存再上传。",
    "too_many_columns": "工作表“{sheet}”在第 {found} 列还有内容,超过 {limit} 列上限。请删除右侧多余的列后保存再上传。",
    "sparse_box": "工作表“{sheet}”的内容延伸到 {found},中间几乎全是空白,占用范围过大。请删除远处多余的单元格后保存再上传。",
    "bad_cell_ref": "工作表“{sheet}”里有不存在的单元格地址({found})。" + SUSPECT,
    "bad_string_index": "工作表“{sheet}”引用了不存在的文字({found})。" + DAMAGED,
    "string_amplification": "同一段很长的文字被重复引用,展开后超过 {limit}。请删除多余的长文字后保存再上传。",
    "sst_count": "文件内部登记的文字条数不合理({found})。" + SUSPECT,
    "merge_count": "工作表“{sheet}”的合并单元格超过 {limit} 处。" + USE_TEMPLATE,
    "merge_area": "工作表“{sheet}”的合并单元格范围过大({found})。请取消该合并后保存再上传。",
    "repeat": "工作表“{sheet}”有大量重复的行或列,展开后过大。" + USE_TEMPLATE,
    # active content
    "dde": "文件含有 DDE 动态链接({found}),会调用外部程序,不予接收。请删除该公式,或只粘贴数值到模板中再上传。",
    "xlm_macro": "文件含有 Excel 4.0 宏表({found}),不予接收。请删除宏表,或只粘贴数值到模板中再上传。",
    # text files
    "encoding": "文本编码不是 UTF-8,也不是 GB18030,无法辨认文字。请在 WPS/Excel 中另存为“CSV UTF-8(逗号分隔)”或 .xlsx 后上传。",
    "binary_text": "文本文件里夹有二进制内容({found})。" + RESAVE,
    "csv_shape": "文本文件的行列结构有误({found})。请在 WPS/Excel 中另存为 .xlsx 后上传。",
}


def refusal(code: str, **details: object) -> SubmissionError:
    """The error for one refusal. ``details`` fill the blanks of its sentence; a file's own text is shortened and cleaned."""
    return SubmissionError(code, REFUSALS[code].format_map({name: shown(value) for name, value in details.items()}))


def shown(value: object) -> str:
    """Text out of a hostile file as it may stand in a message: printable, at most 80 characters."""
    text = "".join(c if c.isprintable() else "·" for c in str(value)[:200])
    return text if len(text) <= 80 else text[:79] + "…"


def megabytes(size: int) -> str:
    """A size for a clerk: 23.4 MB."""
    return f"{size / (1 << 20):.1f} MB"
