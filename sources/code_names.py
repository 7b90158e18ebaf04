"""Names typed where a code belongs, and codes typed as ``="0012"``: taken where they can mean one thing only, asked about else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from schemas.catalog import programme
from schemas.model import Indicator, ValueType
from schemas.period import Period
from sources.cells import CellProblem, CellValue, Normalised
from sources.template_codes import Choice, choices_of

_QUOTED = re.compile(r'="([^"]*)"')
_BETWEEN = re.compile(r"[\s\-—–_:.、·/()()]+")
MOST_NAMED = 6


@dataclass(frozen=True)
class Names:
    """Written form → the codes it can mean: a name alone, a name with its code before or behind it. Codes themselves are not in it."""

    codes: frozenset[str]
    meaning: Mapping[str, tuple[str, ...]] = field(repr=False)

    @classmethod
    def of(cls, choices: Sequence[Choice]) -> Names:
        """From the pairs of a code list."""
        meaning: dict[str, set[str]] = {}
        for code, name in choices:
            if name:
                for text in (name, code + name, name + code):
                    meaning.setdefault(_folded(text), set()).add(code)
        codes = frozenset(code for code, _ in choices)
        return cls(codes, {text: tuple(sorted(c)) for text, c in meaning.items() if text not in codes})


def _folded(text: str) -> str:
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()


@lru_cache(maxsize=256)
def _listed(codelist: str, named: str, period: Period, park: str) -> Names:
    of = programme(named)
    return Names.of(choices_of(of, of.edition_for(period), period, park).get(codelist, ()))


def names_for(indicator: Indicator, named: str, period: Period, park: str) -> Names | None:
    """The names of the list an indicator takes its codes from; None where it has no list."""
    if indicator.type is not ValueType.CODE:
        return None
    if indicator.options:
        return Names.of(tuple(indicator.options.items()))
    return _listed(indicator.codelist, named, period, park) if indicator.codelist else None


def needs_a_look(values: Sequence[CellValue]) -> bool:
    """Whether anything in a column of codes is neither plain ASCII nor free of a leading ``="``."""
    kinds = set(map(type, values))
    texts: Sequence[CellValue] = values if kinds == {str} else [v for v in values if isinstance(v, str)]
    together = "".join(texts)  # type: ignore[arg-type]
    return not together.isascii() or '="' in together


def codes_for_names(
    values: Sequence[CellValue], names: Names | None
) -> tuple[list[CellValue], list[CellProblem], list[Normalised]]:
    """The column with codes in the place of names. A name of several codes is a problem and read as blank; what is no name stays."""
    taken = list(values)
    problems: list[CellProblem] = []
    normalised: list[Normalised] = []
    for position, value in enumerate(values):
        if not isinstance(value, str) or (value.isascii() and '="' not in value):
            continue
        if quoted := _QUOTED.fullmatch(value.strip()):
            taken[position] = quoted[1]
            normalised.append(Normalised(position, "quoted_text", value, quoted[1]))
            continue
        codes = names.meaning.get(_folded(value), ()) if names and value.strip() not in names.codes else ()
        if len(codes) == 1:
            taken[position] = codes[0]
            normalised.append(Normalised(position, "code_name", value, codes[0]))
        elif codes:
            listed = "、".join(codes[:MOST_NAMED])
            problem = f"填报为“{value}”,这个名称对应多个代码({listed}),不能确定是哪一个。请改填代码。"
            taken[position] = None
            problems.append(CellProblem(position, "code_ambiguous", value, problem))
    return taken, problems, normalised
