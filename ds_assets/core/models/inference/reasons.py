"""Why a model says this of this user: the strongest reasons, as stable codes and in plain words.

Features of one meaning are one reason: five windows of events move a prediction together, and are
told together. The windows that words name are those nearest to a week and to four weeks.

Belongs here: which features are one reason, and how each reason is said.
Does not belong here: how much each feature moved a prediction (`explanation.py`).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ds_assets.core.encoding import CLUSTER, Encoding, FeatureType

MOST_REASONS = 3

_USER_GROUP = "user_group"
_WEEK, _FOUR_WEEKS = 7, 28
_DAYS = r"_(\d{1,4})d"
_CODES = {
    r"days_since_active|recency_in_gaps|(?:typical|longest)_gap": "last_seen",
    rf"trend{_DAYS}{_DAYS}": "trend",
    rf"days_since_purchase|purchases{_DAYS}": "purchases",
    r"tenure_days": "tenure",
    rf"(active_days|events|sessions|spend|count_.+|sum_.+){_DAYS}": r"\1",
}
"""Code of each feature, by a pattern of its name; any other is a reason of its own."""
_TAKEN = re.compile(
    rf"(last|count|sum)_.*|trend|purchases|tenure|active_days|events|sessions|spend"
    rf"|{CLUSTER}|{_USER_GROUP}"
)
"""Codes that an attribute of that name must not have."""
_MEMBERS = {CLUSTER: ("in cluster", "in no cluster"), _USER_GROUP: ("in group", "in no group")}
_MOST_LETTERS = 60
"""Of an attribute's value: words are read in a glance, and kept for every user."""
_LARGEST = float(np.finfo(np.float32).max)
_ROUND_FROM = 1e15
"""Larger numbers are said with three digits and a power of ten."""
_FEW_ROWS = 64
"""With fewer, to find those that say the same costs more than to say it again."""
_FRACTIONS = {
    0.1: "a tenth",
    0.2: "a fifth",
    0.25: "a quarter",
    0.33: "a third",
    0.5: "half",
    0.67: "two thirds",
    0.75: "three quarters",
    0.8: "four fifths",
}
_AS_USUAL = (0.9, 1.1)

Number = int | float | None
"""What a user has of a feature, rounded to what is said; None where it is missing."""


def reasons(
    features: pd.DataFrame, encoding: Encoding, values: NDArray[np.floating[Any]]
) -> pa.StringArray:
    """The strongest reasons of each prediction.

    Effects are the sums of SHAP values over the features of a reason, rounded. They are ordered by
    absolute size, and equal ones by code; an effect that rounds to nothing is no reason.

    Args:
        features: Features frame, one row a user.
        encoding: Features of the model, in the order of the values.
        values: What `shap_values` returned, shape (rows, features).

    Returns:
        A JSON text a row: a list of at most `MOST_REASONS` objects, each with `code`; `effect` in
        log-odds, above zero where it makes the predicted event likelier; `values`, what the words
        say of the user, null where it is missing; and `words`.
    """
    known, grouping = _reasons_of(encoding.types)
    chosen, effects = _strongest(np.round((grouping @ values.T).astype(np.float64), 2))
    none = effects == 0
    pieces = [
        _taken(*_heads(known, chosen, none)),
        _taken(*_each(_effect, [effects.ravel()])),
        _taken(*_rests(features, known, chosen, none)),
    ]
    rows = len(features)
    ranked = [piece[rank * rows :][:rows] for rank in range(len(chosen)) for piece in pieces]
    return pc.binary_join_element_wise(pa.repeat("[", rows), *ranked, "]", "")


def reasons_of_few(
    users: Sequence[Mapping[str, Any]], encoding: Encoding, values: NDArray[np.floating[Any]]
) -> list[str]:
    """The same texts as `reasons` for few users, of whom no frame is made: user by user.

    Args:
        users: What each user has of the model's features: a number, a text, or None.
        encoding: Features of the model, in the order of the values.
        values: What `shap_values` returned, shape (users, features).
    """
    known, grouping = _reasons_of(encoding.types)
    effects = np.round((grouping @ values.T).astype(np.float64), 2)
    strongest = (-np.abs(effects)).argsort(axis=0, kind="stable")[:MOST_REASONS]
    rows = zip(users, strongest.T.tolist(), effects.T.tolist(), strict=True)
    return [_told(user, [(known[one], own[one]) for one in first]) for user, first, own in rows]


def code_of(feature: str) -> str:
    """Code of the reason that a feature belongs to; every name has one."""
    for pattern, code in _CODES.items():
        if found := re.fullmatch(pattern, feature, re.DOTALL):
            return found.expand(code)
    if feature in {CLUSTER, _USER_GROUP}:
        return feature
    attribute = feature.removeprefix("last_")
    return f"last_{attribute}" if _TAKEN.fullmatch(attribute) else attribute


class _Asked(NamedTuple):
    """A column that words are made of; without a name, one that the model does not read."""

    name: str | None
    is_text: bool
    decimals: int


class _Reason(NamedTuple):
    code: str
    columns: tuple[_Asked, ...]
    say: Callable[..., str]


@lru_cache(maxsize=32)  # to plan takes longer than to tell one user's reasons
def _reasons_of(features: tuple[tuple[str, FeatureType], ...]) -> tuple[list[_Reason], Any]:
    """All reasons, by code, and what adds features to them: sparse, shape (reasons, features)."""
    from scipy.sparse import csr_array  # noqa: PLC0415  # slow to import

    code_of_each = [code_of(name) for name, _ in features]
    codes = sorted(set(code_of_each))
    lookback = max((day for name, _ in features for day in _windows(name)), default=0)
    known = [
        _reason(
            code,
            {
                name: kind
                for (name, kind), own in zip(features, code_of_each, strict=True)
                if own == code
            },
            lookback,
        )
        for code in codes
    ]
    rows = [codes.index(code) for code in code_of_each]
    ones, columns = np.ones(len(features), np.float32), np.arange(len(features))
    return known, csr_array((ones, (rows, columns)), (len(codes), len(features)))


def _strongest(
    effects: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The strongest effects of shape (reasons, rows): which, and how large; 0 where no more are."""
    left, rows = np.abs(effects), np.arange(effects.shape[1])
    chosen = np.empty((min(MOST_REASONS, len(effects)), len(rows)), dtype=np.intp)
    sizes = np.empty(chosen.shape)
    for rank, found in enumerate(chosen):
        left.argmax(axis=0, out=found)  # the first of equal ones, and codes ascend
        sizes[rank] = np.where(left[found, rows] > 0, effects[found, rows], 0)
        left[found, rows] = 0
    return chosen, sizes


def _taken(texts: Sequence[str], places: NDArray[np.intp]) -> pa.StringArray:
    return pa.array(texts, pa.string()).take(pa.array(places.ravel()))


def _heads(
    known: Sequence[_Reason], chosen: NDArray[np.intp], none: NDArray[np.bool_]
) -> tuple[list[str], NDArray[np.intp]]:
    """Beginnings of the chosen reasons' JSON: different texts, and which of them each one is."""
    codes = [f'{{"code":{_as_json(reason.code)},"effect":' for reason in known]
    places = chosen.copy()
    places[1:] += len(codes)
    places[none] = 2 * len(codes)
    return [*codes, *("," + code for code in codes), ""], places


def _rests(
    features: pd.DataFrame,
    known: Sequence[_Reason],
    chosen: NDArray[np.intp],
    none: NDArray[np.bool_],
) -> tuple[list[str], NDArray[np.intp]]:
    """Ends of the chosen reasons' JSON, from `values` on, in the same way."""
    texts, places = [""], np.zeros(chosen.shape, dtype=np.intp)
    for number in np.unique(chosen[~none]).tolist():
        ranks, rows = np.nonzero((chosen == number) & ~none)
        reason = known[number]
        columns = [_column(features, asked, rows) for asked in reason.columns]
        own, place = _each(partial(_values_and_words, reason.say), columns)
        places[ranks, rows] = place + len(texts)
        texts += own
    return texts, places


def _column(features: pd.DataFrame, asked: _Asked, rows: NDArray[np.intp]) -> NDArray[Any]:
    """Values of some rows as they are said; NaN or None where they are missing."""
    if asked.name is None:
        return np.full(len(rows), np.nan)
    column = features[asked.name].array
    if asked.is_text:
        texts = np.array(column[rows], dtype=object)
        texts[pd.isna(texts)] = None
        return texts
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)[rows]
    clipped = np.clip(numbers, -_LARGEST, _LARGEST)
    return np.where(np.isfinite(numbers), np.round(clipped, asked.decimals), np.nan)


def _told(user: Mapping[str, Any], strongest: Iterable[tuple[_Reason, float]]) -> str:
    """The JSON of one user's reasons, of which an effect of nothing is none."""
    found = []
    for reason, effect in strongest:
        if effect:
            rest = _values_and_words(reason.say, *(_said(user, one) for one in reason.columns))
            found.append(f'{{"code":{_as_json(reason.code)},"effect":{effect!r}{rest}')
    return f"[{','.join(found)}]"


def _said(user: Mapping[str, Any], asked: _Asked) -> float | str | None:
    """A user's value as it is said: what `_column` does for many."""
    value = None if asked.name is None else user[asked.name]
    if value is None or asked.is_text:
        return value
    number = float(value)
    if not isfinite(number):
        return None
    scale = 10.0**asked.decimals
    return round(min(max(number, -_LARGEST), _LARGEST) * scale) / scale


def _each(
    say: Callable[..., str], columns: Sequence[NDArray[Any]]
) -> tuple[list[str], NDArray[np.intp]]:
    """Say different rows of the columns once: the texts, and which of them each row has."""
    places = np.arange(len(columns[0]))
    first = places
    if len(places) >= _FEW_ROWS:
        codes = np.zeros(len(places), dtype=np.int64)
        for column in columns:
            own, different = pd.factorize(column)  # -1 where missing
            codes = pd.factorize(codes * (len(different) + 1) + own + 1)[0]
        first = np.empty(codes.max() + 1, dtype=np.intp)
        first[codes[::-1]] = places[::-1]
        places = codes
    rows = zip(*(column[first].tolist() for column in columns), strict=True)
    return [say(*row) for row in rows], places


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _effect(effect: float) -> str:
    return repr(effect) if effect else ""


def _values_and_words(say: Callable[..., str], *values: object) -> str:
    """The end of a reason's JSON."""
    known = [_plain(value) for value in values]
    listed = ",".join(_json_of(value) for value in known)
    return f',"values":[{listed}],"words":{_as_json(say(*known))}}}'


def _json_of(value: Number | str) -> str:
    if value is None:
        return "null"
    return _as_json(value) if isinstance(value, str) else repr(value)


def _plain(value: Any) -> Number | str:
    """A value as JSON takes it: text shortened, and whole numbers without a point."""
    if value is None or value != value:  # noqa: PLR0124  # only NaN is not itself
        return None
    if isinstance(value, float):
        if abs(value) >= _ROUND_FROM:
            return float(f"{value:.2e}")
        return int(value) if value.is_integer() else value
    text = str(value).encode(errors="replace").decode()  # half of a character pair is none
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"


def _reason(code: str, own: Mapping[str, FeatureType], lookback: int) -> _Reason:
    """How a reason is said.

    Args:
        code: The reason.
        own: Its features: name and type.
        lookback: Days that features can see at most.
    """

    def asked(name: str, decimals: int = 0) -> _Asked:
        return _Asked(name if name in own else None, False, decimals)

    if code == "last_seen":
        return _Reason(code, (asked("days_since_active"), asked("typical_gap", 1)), _last_seen)
    if code == "trend":
        name = min(own, key=lambda one: (abs(_windows(one)[0] - _WEEK), one))
        return _Reason(code, (asked(name, 2),), partial(_trend, *_windows(name)))
    if code == "purchases":
        days, name = next(iter(_named_windows(own)), (0, ""))
        seen = lookback if "days_since_purchase" in own else days
        counted = asked(name), asked("days_since_purchase")
        return _Reason(code, counted, partial(_purchases, days, seen))
    if code == "tenure":
        return _Reason(code, (asked("tenure_days"),), partial(_tenure, lookback))
    if windows := _named_windows(own):
        measure = _measure(code)
        columns = tuple(asked(name, measure.decimals) for _, name in windows)
        return _Reason(code, columns, partial(_in_windows, measure, [day for day, _ in windows]))
    name = min(own)
    subject, unknown = _MEMBERS.get(
        code, (code.replace("_", " "), f"{code.replace('_', ' ')} unknown")
    )
    said = partial(_attribute, subject, unknown)
    return _Reason(code, (_Asked(name, own[name] == "text", 2),), said)


def _windows(feature: str) -> list[int]:
    """Lengths of a feature's windows, in days."""
    is_windowed = not feature.startswith("last_") and code_of(feature) != feature
    return [int(days) for days in re.findall(_DAYS, feature)] if is_windowed else []


def _named_windows(own: Mapping[str, FeatureType]) -> list[tuple[int, str]]:
    """The windows that words name, the longer first: days and feature; one where there is one."""
    windows = sorted((days, name) for name in own for days in _windows(name)[-1:])
    if not windows:
        return []
    nearest = [min(windows, key=lambda one: abs(one[0] - days)) for days in (_FOUR_WEEKS, _WEEK)]
    return list(dict.fromkeys(nearest))


class _Measure(NamedTuple):
    """How the sum over a window is said: around a number, and where there is nothing."""

    before: str
    one: str
    many: str
    nothing: str
    again: str
    """Nothing in a shorter window."""
    decimals: int


def _measure(code: str) -> _Measure:
    kind, _, name = code.partition("_")
    if code == "spend":
        return _Measure("", " spent", " spent", "nothing spent", "nothing", 2)
    if kind == "sum":
        subject = name.replace("_", " ")
        return _Measure(f"{subject} ", "", "", f"{subject} 0", "0", 2)
    noun = f"{name} event" if kind == "count" else code.removesuffix("s")
    noun = noun.replace("_", " ")
    return _Measure("", f" {noun}", f" {noun}s", f"no {noun}", "none", 0)


def _in_windows(measure: _Measure, windows: Sequence[int], *sums: Number) -> str:
    """For example '12 active days in the last 28, 2 in the last 7'."""
    unit = "" if measure.many.endswith("days") else " days"
    said = f"{_amount(measure, sums[0])} {_span(windows[0], unit)}"
    if len(sums) == 1 or sums[1] is None or not sums[0]:
        return said
    return f"{said}, {_number(sums[1]) if sums[1] else measure.again} {_span(windows[1])}"


def _amount(measure: _Measure, amount: Number) -> str:
    if amount is None:
        return f"unknown{measure.many}" if measure.many else f"{measure.before}unknown"
    if not amount:
        return measure.nothing
    return f"{measure.before}{_number(amount)}{measure.one if amount == 1 else measure.many}"


def _span(days: int, unit: str = "") -> str:
    return "on the last day" if days == 1 else f"in the last {days}{unit}"


def _last_seen(days: Number, gap: Number) -> str:
    """For example 'last seen 6 days ago, usually every 1.4 days'."""
    if gap is None:
        return f"last seen {_ago(days)}"
    return f"last seen {_ago(days)}, usually every {'day' if gap == 1 else f'{_number(gap)} days'}"


def _trend(short: int, long: int, ratio: Number) -> str:
    """For example 'coming less often: a third of the usual'."""
    if not ratio:
        return f"not seen {_span(long if ratio is None else short, ' days')}"
    least, most = _AS_USUAL
    if ratio > most:
        times = "twice" if ratio == 2 else f"{_number(ratio)} times"  # noqa: PLR2004  # a word
        return f"coming more often: {times} the usual"
    if ratio >= least:
        return "coming as often as usual"
    fraction = min(_FRACTIONS, key=lambda one: abs(one - ratio))
    return f"coming less often: {_FRACTIONS[fraction]} of the usual"


def _purchases(days: int, seen: int, count: Number, since: Number) -> str:
    """For example '2 purchases in the last 28 days, the latest 3 days ago'.

    Args:
        days: Window of the count.
        seen: Days in which there is no purchase, where no latest one is known.
        count: Purchases in the window.
        since: Days since the latest.
    """
    if since is None and not count:
        return f"no purchase {_span(seen, ' days')}" if seen else "no purchase known"
    latest = "" if since is None else f"the latest {_ago(since)}"
    if count is None:
        return f"purchases, {latest}"
    return f"{_amount(_measure('purchases'), count)} {_span(days, ' days')}" + (
        f", {latest}" if latest else ""
    )


def _tenure(lookback: int, days: Number) -> str:
    """For example 'first seen 3 days ago'."""
    # long ago, the day may be only the first that features can see
    is_long_ago = days is not None and days * 2 >= lookback > 0
    return f"first seen {_ago(days)}{' or before' if is_long_ago else ''}"


def _attribute(subject: str, unknown: str, value: Number | str) -> str:
    """For example 'country KR'."""
    if value is None:
        return unknown
    return f"{subject} {value if isinstance(value, str) else _number(value)}"


def _ago(days: Number) -> str:
    if days is None:
        return "at an unknown time"
    return {0: "today", 1: "yesterday"}.get(int(days), f"{_number(days)} days ago")


def _number(number: float) -> str:
    return f"{number:.3g}" if abs(number) >= _ROUND_FROM else f"{number:,}"
