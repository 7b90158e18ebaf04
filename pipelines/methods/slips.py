"""Typical slips in the figures of one record, recognised by identities that fail: a lost sign, two figures swapped, a wrong or
transposed digit, a wrong unit, a rounding error.

A slip is only named where undoing it makes identities hold that failed, and none fail that held. Sources: S. Scholtus, Algorithms
for correcting some obvious inconsistencies and rounding errors in business survey data (Statistics Netherlands, 2008) and Automatic
correction of simple typing errors in numerical data with balance edits (2009); M. van der Loo, E. de Jonge, S. Scholtus, R
deducorrect 1.3 (correctSigns, correctTypos, correctRounding); F. Damerau (1964).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from pipelines.methods.identities import Identity, fixed_values

MAX_COMBINATIONS = 20_000
MAX_CANDIDATES = 12
MAX_TOGETHER = 4
LOSSY_FROM = 1000
MAGNITUDES = (10, 100, 1000, 10_000)

SIGN, SWAP, TYPO, MAGNITUDE, ROUNDING, SEVERAL = "sign", "swap", "typo", "magnitude", "rounding", "several"
Figures = Mapping[str, Fraction]
Acceptable = Callable[[Mapping[str, Fraction]], bool]


@dataclass(frozen=True)
class Change:
    """One field, the value that undoes the slip, and what the slip is (Chinese)."""

    field: str
    value: Fraction
    kind: str
    what: str


@dataclass(frozen=True)
class Slip:
    """Changes that belong together. ``resolves``: the identities that hold afterwards; ``complete``: none fails any more;
    ``actions``: how many things went wrong (one swap, one wrong unit of several figures, one digit)."""

    kind: str
    changes: tuple[Change, ...]
    resolves: tuple[str, ...]
    complete: bool
    actions: int = 1


def distance(first: str, second: str) -> int:
    """Restricted Damerau–Levenshtein distance: insertions, deletions, substitutions, transpositions of neighbours."""
    rows = [list(range(len(second) + 1))]
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and b == first[i - 2]:
                best = min(best, rows[i - 2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def figure_text(value: Fraction, decimals: int) -> str | None:
    """The figure with so many decimals as it is written, or None where it needs more."""
    scaled = value * 10**decimals
    if scaled.denominator != 1:
        return None
    digits = str(abs(scaled.numerator)).rjust(decimals + 1, "0")
    text = f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
    return f"-{text}" if value < 0 else text


def failing(identities: Sequence[Identity], figures: Figures, slack: Fraction = Fraction(0)) -> list[Identity]:
    """The identities a record breaks by more than their tolerance (and ``slack``)."""
    return [i for i in identities if i.fails(figures, slack)]


def _resolved(before: Sequence[Identity], after: Sequence[Identity]) -> tuple[str, ...]:
    still = {i.rule for i in after}
    return tuple(i.rule for i in before if i.rule not in still)


def together(slips: Sequence[Slip]) -> list[Slip]:
    """Pairs of slips that have nothing to do with each other: no field and no resolved identity in common."""
    found = []
    for a, b in combinations(slips, 2):
        apart = not {c.field for c in a.changes} & {c.field for c in b.changes} and not set(a.resolves) & set(
            b.resolves
        )
        if apart and not a.complete and not b.complete:
            kind = a.kind if a.kind == b.kind else SEVERAL
            found.append(Slip(kind, (*a.changes, *b.changes), (*a.resolves, *b.resolves), False, a.actions + b.actions))
    return found


# ── signs and swaps ─────────────────────────────────────────────────────────────────────────────────────────────────
def sign_slips(
    identities: Sequence[Identity],
    figures: Figures,
    *,
    flips: Sequence[str] | None = None,
    swaps: Sequence[tuple[str, str]] | None = None,
    slack: Fraction = Fraction(0),
    actions: int = 4,
    acceptable: Acceptable = lambda figures: True,
) -> list[Slip]:
    """The fewest signs turned and pairs exchanged after which every identity holds; all such, fewest fields first.

    A flip and a swap count one action each. ``flips`` and ``swaps`` None: every figure, and every two figures with opposite
    coefficients, of a failing identity.
    """
    broken = failing(identities, figures, slack)
    touched = [n for n in figures if any(n in i.form.terms for i in broken) and figures[n]]
    if not broken:
        return []
    turned = [n for n in touched if flips is None or n in flips]
    pairs = (
        _pairs(broken, figures)
        if swaps is None
        else [p for p in swaps if set(p) & set(touched) and set(p) <= figures.keys()]
    )
    possible: list[tuple[str, ...]] = [*((n,) for n in turned), *pairs]
    tried = 0
    for count in range(1, min(actions, len(possible)) + 1):
        found: dict[frozenset[tuple[str, Fraction]], Slip] = {}
        for chosen in combinations(possible, count):
            tried += 1
            if tried > MAX_COMBINATIONS:
                return []
            if len({n for action in chosen for n in action}) < sum(map(len, chosen)):
                continue
            after = _acted(figures, chosen)
            if failing(identities, after, slack) or not acceptable(after):
                continue
            changes = tuple(_sign_changes(figures, chosen))
            key = frozenset((c.field, c.value) for c in changes)
            kind = SWAP if all(len(a) == 2 for a in chosen) else SIGN
            found.setdefault(key, Slip(kind, changes, tuple(i.rule for i in broken), True, count))
        if found:
            return sorted(found.values(), key=lambda s: len(s.changes))
    return []


def _pairs(broken: Sequence[Identity], figures: Figures) -> list[tuple[str, ...]]:
    found: dict[tuple[str, ...], None] = {}
    order = list(figures)
    for identity in broken:
        names = sorted((n for n in identity.form.terms if n in figures), key=order.index)
        for a, b in combinations(names, 2):
            if identity.form.terms[a] == -identity.form.terms[b] and figures[a] != figures[b]:
                found[(a, b)] = None
    return list(found)


def _acted(figures: Figures, chosen: Sequence[tuple[str, ...]]) -> dict[str, Fraction]:
    after = dict(figures)
    for action in chosen:
        if len(action) == 1:
            after[action[0]] = -figures[action[0]]
        else:
            after[action[0]], after[action[1]] = figures[action[1]], figures[action[0]]
    return after


def _sign_changes(figures: Figures, chosen: Sequence[tuple[str, ...]]) -> Iterator[Change]:
    for action in chosen:
        if len(action) == 1:
            yield Change(action[0], -figures[action[0]], SIGN, "正负号填反")
        else:
            a, b = action
            yield Change(a, figures[b], SWAP, f"与 {b} 填反")
            yield Change(b, figures[a], SWAP, f"与 {a} 填反")


# ── typing errors and units ─────────────────────────────────────────────────────────────────────────────────────────
def typing_slips(
    identities: Sequence[Identity],
    figures: Figures,
    decimals: Mapping[str, int],
    *,
    fixate: frozenset[str] = frozenset(),
    typos: int = 1,
    acceptable: Acceptable = lambda figures: True,
) -> list[Slip]:
    """Digits mistyped or figures in the wrong unit: the choice of changes that makes the most identities hold.

    As correctTypos: only figures that stand in failing identities alone are candidates; each candidate value solves one failing
    identity and lies within ``typos`` of what is written (or is it times 10, 100, 1,000, 10,000, or divided). Among choices
    that make equally many hold, the fewest fields; all such are listed.
    """
    broken = failing(identities, figures)
    sound = [i for i in identities if i not in broken and i.gap(figures) is not None]
    held = {n for i in sound for n in i.form.terms}
    candidates = list(dict.fromkeys(_candidates(broken, figures, decimals, held | fixate, typos)))
    if not candidates:
        return []
    options = [c for c in candidates if _helps(c, broken, figures)][:MAX_CANDIDATES]
    best: list[tuple[Change, ...]] = []
    score = (0, 0)
    for count in range(1, len(options) + 1):
        for chosen in combinations(options, count):
            if len({c.field for c in chosen}) < count:
                continue
            after = {**figures, **{c.field: c.value for c in chosen}}
            if failing(sound, after) or not acceptable(after):
                continue
            reached = (len(broken) - len(failing(broken, after)), -count)
            if reached[0] and reached > score:
                best, score = [chosen], reached
            elif reached[0] and reached == score:
                best.append(chosen)
    found = []
    for chosen in best:
        left = failing(broken, {**figures, **{c.field: c.value for c in chosen}})
        kinds = {c.kind for c in chosen}
        kind = kinds.pop() if len(kinds) == 1 else SEVERAL
        found.append(Slip(kind, chosen, _resolved(broken, left), not left, len(chosen)))
    return sorted(found, key=lambda s: (not s.complete, [_likelihood(c, figures) for c in s.changes]))


def _likelihood(change: Change, figures: Figures) -> int:
    """Units and transposed digits before other slips of the finger."""
    return {MAGNITUDE: 0, SIGN: 1}.get(change.kind, 2 if "换位" in change.what else 3)


def _helps(change: Change, broken: Sequence[Identity], figures: Figures) -> bool:
    after = {**figures, change.field: change.value}
    return len(failing(broken, after)) < len(broken)


def _candidates(
    broken: Sequence[Identity],
    figures: Figures,
    decimals: Mapping[str, int],
    held: set[str] | frozenset[str],
    typos: int,
) -> Iterator[Change]:
    for identity in broken:
        for name in figures:
            if name not in identity.form.terms or name in held:
                continue
            wanted = identity.solved_for(name, figures)
            if wanted is None:
                continue
            change = recognised(name, figures[name], wanted, decimals.get(name, 0), typos)
            if change is not None:
                yield change


def recognised(name: str, written: Fraction, wanted: Fraction, decimals: int, typos: int = 1) -> Change | None:
    """What slip turns ``wanted`` into ``written``, if one does."""
    text, target = figure_text(written, decimals), figure_text(wanted, decimals)
    if text is None or target is None or written == wanted:
        return None
    if wanted == -written:
        return Change(name, wanted, SIGN, "正负号填反")
    unit = _wrong_unit(written, wanted, decimals)
    if unit:
        return Change(name, wanted, MAGNITUDE, unit)
    apart = distance(text, target)
    return Change(name, wanted, TYPO, _typo(text, target, apart)) if apart <= typos else None


def _wrong_unit(written: Fraction, wanted: Fraction, decimals: int) -> str:
    if not wanted or not written:
        return ""
    for factor in MAGNITUDES:
        # A figure in yuan carries digits that the figure in thousands lost: rounded to it, it is the same.
        rounds = factor >= LOSSY_FROM and abs(written / factor - wanted) <= Fraction(1, 2 * 10**decimals) < abs(wanted)
        if written == wanted * factor or rounds:
            return f"大 {factor} 倍,像是计量单位填错"
        if written * factor == wanted:
            return f"小 {factor} 倍,像是计量单位填错"
    return ""


def _typo(text: str, target: str, apart: int) -> str:
    if apart > 1:
        return f"有 {apart} 处录入差错"
    if len(text) > len(target):
        return "多录一位数字"
    if len(text) < len(target):
        return "少录一位数字"
    different = [n for n, (a, b) in enumerate(zip(text, target, strict=True)) if a != b]
    return "相邻两位数字换位" if len(different) == 2 else "一位数字录错"


def unit_slips(
    identities: Sequence[Identity],
    figures: Figures,
    decimals: Mapping[str, int],
    *,
    fixate: frozenset[str] = frozenset(),
    conflicts: Callable[[Mapping[str, Fraction]], frozenset[str]] = lambda figures: frozenset(),
) -> list[Slip]:
    """Several figures of one failing identity in a unit too small, so that all are 10, 100, 1,000 or 10,000 times too large.

    Each is divided and rounded to its decimals, as its respondent would have (by 10 and 100 only where nothing is lost); the
    identity must then hold exactly. ``conflicts`` names the fields of rules that only then fail: they may stand in the same
    wrong unit and are divided as well; if rules fail still, the slip is none.
    """
    broken = failing(identities, figures)
    found: dict[frozenset[tuple[str, Fraction]], Slip] = {}
    for identity in broken:
        names = [n for n in figures if n in identity.form.terms and n not in fixate and figures[n]]
        if len(names) > MAX_CANDIDATES:
            continue
        for factor in MAGNITUDES:
            for count in range(2, min(len(names) - 1, MAX_TOGETHER) + 1):
                for chosen in combinations(names, count):
                    after = _divided(figures, chosen, factor, decimals)
                    if after is None or identity.fails(after):
                        continue
                    drawn = tuple(n for n in figures if n in conflicts(after) - fixate - set(names) and figures[n])
                    after = _divided(figures, (*chosen, *drawn), factor, decimals) if drawn else after
                    if after is None or conflicts(after):
                        continue
                    left = failing(identities, after)
                    what = f"大 {factor} 倍,像是计量单位填错"
                    changes = tuple(Change(n, after[n], MAGNITUDE, what) for n in (*chosen, *drawn))
                    key = frozenset((c.field, c.value) for c in changes)
                    found.setdefault(key, Slip(MAGNITUDE, changes, _resolved(broken, left), not left))
    return list(found.values())


def _divided(
    figures: Figures, chosen: Sequence[str], factor: int, decimals: Mapping[str, int]
) -> dict[str, Fraction] | None:
    """The figures with some divided by a unit; None where digits are lost that a unit does not explain."""
    after = dict(figures)
    for name in chosen:
        exact = figures[name] / factor
        after[name] = _rounded(exact, decimals.get(name, 0))
        if not after[name] or (factor < LOSSY_FROM and after[name] != exact):
            return None
    return after


def _rounded(value: Fraction, decimals: int) -> Fraction:
    """Half away from zero."""
    scaled = abs(value) * 10**decimals + Fraction(1, 2)
    return (1 if value >= 0 else -1) * Fraction(scaled.numerator // scaled.denominator, 10**decimals)


# ── rounding ────────────────────────────────────────────────────────────────────────────────────────────────────────
def rounding_slips(
    identities: Sequence[Identity],
    figures: Figures,
    decimals: Mapping[str, int],
    *,
    slack: Fraction,
    fixate: frozenset[str] = frozenset(),
    acceptable: Acceptable = lambda figures: True,
) -> list[Slip]:
    """Gaps up to ``slack`` put on the largest figures (scapegoats) that can take them all, each solved for exactly.

    The algorithm draws scapegoats by lot; here they are the largest figures, on which a unit weighs least, so that the same
    record always gets the same answer. Identities with larger gaps are left alone.
    """
    small = [i for i in identities if (gap := i.gap(figures)) is not None and abs(gap) <= slack]
    broken = failing(small, figures)
    if not broken or not slack:
        return []
    names = sorted(
        {n for i in small for n in i.form.terms} - fixate, key=lambda n: (-abs(figures[n]), list(figures).index(n))
    )
    goats = _scapegoats(small, names)
    exact = [Identity(i.rule, i.form) for i in small]
    solved = fixed_values(exact, figures, goats)
    after = {**figures, **solved}
    changes = [Change(n, after[n], ROUNDING, "四舍五入的尾差") for n in goats if after[n] != figures[n]]
    if (
        not changes
        or failing(small, after)
        or not acceptable(after)
        or any(figure_text(c.value, decimals.get(c.field, 0)) is None for c in changes)
    ):
        return []
    left = failing(identities, after)
    return [Slip(ROUNDING, tuple(changes), _resolved(broken, failing(broken, after)), not left)]


def _scapegoats(identities: Sequence[Identity], names: Sequence[str]) -> list[str]:
    """The first figures whose columns are independent: as many as there are independent identities."""
    chosen: list[str] = []
    basis: list[tuple[int, list[Fraction]]] = []
    for name in names:
        column = [i.form.terms.get(name, Fraction(0)) for i in identities]
        for pivot, vector in basis:
            if factor := column[pivot]:
                column = [a - factor * b for a, b in zip(column, vector, strict=True)]
        pivot_found = next((n for n, v in enumerate(column) if v), None)
        if pivot_found is not None:
            divisor = column[pivot_found]
            basis.append((pivot_found, [v / divisor for v in column]))
            chosen.append(name)
    return chosen
