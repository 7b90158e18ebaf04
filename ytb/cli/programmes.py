"""The programme of a home: sound before it is used, remembered in the configuration, moved to another folder with care."""

from __future__ import annotations

from pathlib import Path

from pipelines.programme_check import programme_check
from schemas.catalog import named_by, programme
from schemas.errors import DefinitionError, RefusalError
from schemas.model import Programme
from warehouse.home import Home, load_config, remember_programme

MOST_SAID = 5


def require_sound(found: Programme) -> None:
    """Raise DefinitionError where lint finds an error in an edition: nothing starts on it."""
    wrong = [p for e in found.editions.values() for p in programme_check(found, e).problems if p.severity == "error"]
    if wrong:
        lines = [f"{p.where}:{p.message}" for p in wrong[:MOST_SAID]]
        more = f"……共 {len(wrong)} 处" if len(wrong) > MOST_SAID else ""
        raise DefinitionError(
            "\n".join([f"制度 {found.folder} 有错误:", *lines, *([more] if more else [])]),
            remedy=f"请更正后再试;全部问题见 ytb programme lint --programme {found.folder}。",
        )


def move_to(home: Home, folder: Path) -> str:
    """Remember another folder for the home's programme; what was done, in Chinese.

    Raises DefinitionError for one that is not sound, RefusalError for another programme: its name is in every template and
    release, and a code keeps type, decimals and unit of measure for ever.
    """
    before, named = load_config(home).programme, named_by(folder)
    found = programme(named)
    require_sound(found)
    if Path(before).name != found.code:
        raise RefusalError(
            f"数据目录用的制度代码是 {Path(before).name}(制度目录的名字),不是 {found.code}:模板和发布都写着它。"
            f"请把目录改名为 {Path(before).name},或为新制度另建数据目录(ytb init)。"
        )
    if not Path(before).is_absolute() or Path(before).is_dir():
        _require_same_codes(programme(before), found)
    if named != before:
        remember_programme(home, named)
    return f"制度:{found.title},从此用 {named}。" if named != before else f"制度仍用 {named}。"


def _require_same_codes(old: Programme, new: Programme) -> None:
    was = {i.code: i for e in old.editions.values() for i in e.indicators.values()}
    now = {i.code: i for e in new.editions.values() for i in e.indicators.values()}
    gone = sorted(was.keys() - now.keys())
    changed = sorted(
        code
        for code in was.keys() & now.keys()
        if (was[code].form, was[code].dtype, was[code].unit_measure)
        != (now[code].form, now[code].dtype, now[code].unit_measure)
    )
    if gone or changed:
        said = [f"少了指标 {'、'.join(gone[:10])}"] if gone else []
        said += [f"指标 {'、'.join(changed[:10])} 换了表、类型、小数位或计量单位"] if changed else []
        raise RefusalError(
            f"不能改用 {new.folder}:{';'.join(said)}。已有的数据按原来的定义存着;请保留旧版次,变动用新代码并写进 concordance.csv。"
        )
