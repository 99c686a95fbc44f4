"""Encode features as the numbers that a model reads, the same in training and in scoring.

Scope: which columns of a frame are features, their types, and how values become float32. How
features are computed is declared in `feature_catalog`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.errors import InputError

FeatureType = Literal["number", "text", "id"]
"""An `id` is a whole number that stands for a name, so that its order means nothing."""

USER_ID = "user_id"
USER_GROUP = "user_group"
CLUSTER = "cluster"
MAX_CATEGORIES = 50
"""Rarer values have too few users to learn from."""
TYPICAL_CODES = 10
"""Training categories that stand for one that was never seen: the middle of each tenth of rows."""

FLOAT32_MAX = float(np.finfo(np.float32).max)
_ACCEPTED: dict[FeatureType, str] = {
    "number": "numbers",
    "text": "text",
    "id": "whole numbers",
}


class Feature(BaseModel):
    """One column of the matrix.

    Attributes:
        name: Column of the features frame.
        type: What the column holds.
        categories: For text and ids, the values that have a code, the most frequent first.
        other: Codes that stand for a category that is not listed; see `predict_others`. They are
            its own code where training rows had such categories. Empty without categories, and in
            cards of versions that encoded such a category as a missing value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: FeatureType
    categories: tuple[str, ...] = ()
    other: tuple[int, ...] = ()

    @property
    def other_code(self) -> float:
        """Code of a category that is not listed: the rank after all others."""
        return float(len(self.categories)) if self.other else np.nan


class Encoding(BaseModel):
    """The columns of the matrix, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[Feature, ...]

    # Pydantic compares what is cached as well, and arrays have no truth value.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Encoding) and self.features == other.features

    def __hash__(self) -> int:
        return hash(self.features)

    @property
    def names(self) -> list[str]:
        """Names of the features, in order."""
        return [feature.name for feature in self.features]

    @cached_property
    def types(self) -> tuple[tuple[str, FeatureType], ...]:
        """Name and type of each feature, in order."""
        return tuple((feature.name, feature.type) for feature in self.features)

    @cached_property
    def categorical(self) -> tuple[int, ...]:
        """Positions of the features whose numbers are codes of categories."""
        return tuple(
            place for place, feature in enumerate(self.features) if feature.type != "number"
        )

    @cached_property
    def other_codes(self) -> NDArray[np.float32]:
        """Code of a category that is not listed, of each feature in order; NaN where none has."""
        return np.array([feature.other_code for feature in self.features], dtype=np.float32)

    @cached_property
    def unseen(self) -> "UnseenCategories":
        """The features for which training rows had no category beyond those that are listed."""
        places = [place for place, feature in enumerate(self.features) if len(feature.other) > 1]
        features = [self.features[place] for place in places]
        return UnseenCategories(
            np.array(places, dtype=np.intp),
            np.array([feature.other_code for feature in features], dtype=np.float32),
            np.array([feature.other for feature in features], dtype=np.float32).T,
        )


class UnseenCategories(NamedTuple):
    """How categories that training never saw are encoded.

    Attributes:
        places: Positions of the features that may have one, shape (features,).
        codes: Their codes for it, shape (features,).
        typical: Codes that stand for it, shape (tenths of the training rows, features).
    """

    places: NDArray[np.intp]
    codes: NDArray[np.float32]
    typical: NDArray[np.float32]


def fit_encoding(frames: Sequence[pd.DataFrame]) -> Encoding:
    """Learn the types and categories of features from training rows alone.

    Every column is a feature, except the ids of users and their groups. The code of a category is
    its rank by frequency, ties in the order of the text.

    Args:
        frames: Features frames with the same columns, at least one.

    Raises:
        InputError: a column holds neither numbers nor text, or frames differ; the message lists
            every such column.
    """
    first = frames[0]
    names = [str(name) for name in first.columns if name not in {USER_ID, USER_GROUP}]
    types = Encoding(
        features=tuple(Feature(name=name, type=_type_of(first[name])) for name in names)
    )
    for frame in frames:
        require_features(frame, types, "the training features")
    return Encoding(features=tuple(_with_categories(feature, frames) for feature in types.features))


def encode(
    frame: pd.DataFrame, encoding: Encoding, what: str = "the features"
) -> NDArray[np.float32]:
    """Encode features as a matrix: missing and infinite values become NaN.

    A category that is not listed gets the code `Feature.other_code`.

    Values beyond float32 are clipped to its range. The last bit of each mantissa is zero, so that
    the midpoint of two different values is a float32 too: a tree's threshold between them means the
    same in float64, where it is learned, and in float32, where it is applied.

    Args:
        frame: Holds every feature; other columns are ignored.
        encoding: What `fit_encoding` returned.
        what: What the frame is, for the beginning of a message.

    Returns:
        Array of shape (rows, features), float32, C order.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    require_features(frame, encoding, what)
    matrix = np.empty((len(frame), len(encoding.features)), dtype=np.float32)
    plain = _plain_numbers(frame, encoding)
    # All columns at once: to take them one by one would cost more than the conversion.
    matrix[:, list(plain)] = _numbers(frame[list(plain.values())])
    for place, feature in enumerate(encoding.features):
        if place not in plain:
            matrix[:, place] = _encode_column(frame[feature.name], feature)
    return _with_midpoints(matrix)


def predict_others(
    matrix: NDArray[np.float32],
    encoding: Encoding,
    predict: Callable[[NDArray[np.float32]], NDArray[Any]],
) -> NDArray[Any]:
    """Predict for encoded rows, so that a category never seen in training has no effect by itself.

    A row with such a category gets the mean prediction of the same row with each typical category
    of the training rows (partial dependence; Friedman, Greedy Function Approximation, 2001).

    Args:
        matrix: The result of `encode`, shape (rows, features).
        encoding: The encoding of the model.
        predict: Returns an array whose first dimension is that of the rows.

    Returns:
        What `predict` returns, for all rows.
    """
    predicted = predict(matrix)
    unseen = encoding.unseen
    is_unseen = matrix[:, unseen.places] == unseen.codes
    if not is_unseen.any():
        return predicted
    rows, columns = is_unseen.any(axis=1), is_unseen.any(axis=0)
    # Frequent categories stand for several tenths of the rows, and are predicted once.
    codes, tenths = np.unique(unseen.typical[:, columns], axis=0, return_inverse=True)
    filled = np.tile(matrix[rows], (len(codes), 1, 1))
    places = unseen.places[columns]
    filled[:, :, places] = np.where(
        is_unseen[rows][:, columns], codes[:, np.newaxis], filled[:, :, places]
    )
    # In a single call, because a call costs more than the few rows that it is for.
    of_codes = predict(filled.reshape(-1, matrix.shape[1]))
    of_codes = of_codes.reshape(len(codes), -1, *of_codes.shape[1:])
    predicted[rows] = np.mean(of_codes[tenths.ravel()], axis=0)
    return predicted


def is_other(matrix: NDArray[np.float32], encoding: Encoding) -> NDArray[np.bool_]:
    """Which values of a matrix are categories that are not listed, shape (rows, features)."""
    return np.asarray(matrix == encoding.other_codes)


def as_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Encode numbers as `encode` does: missing and infinite ones become NaN, large ones clipped."""
    return _with_midpoints(_finite(values).astype(np.float32))


def mismatches(frame: pd.DataFrame, encoding: Encoding) -> list[str]:
    """List why a frame cannot be encoded: one phrase for each feature that does not fit."""
    plain = _plain_numbers(frame, encoding)
    return [
        f"{feature.name}: {problem}"
        for place, feature in enumerate(encoding.features)
        if place not in plain and (problem := _mismatch(frame, feature)) is not None
    ]


def mismatch_of(user: Mapping[str, object], feature: Feature) -> str | None:
    """The phrase of `mismatches` for a feature of a single user; None where it fits."""
    accepted = _ACCEPTED[feature.type]
    if feature.name not in user:
        return f"missing; {accepted} are needed"
    value = user[feature.name]
    kind = _kind(pd.api.types.infer_dtype([value], skipna=True))
    fits = kind == ("text" if feature.type == "text" else "numbers") or is_missing(value)
    return None if fits else f"found {kind}; {accepted} are needed"


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN, NA or NaT."""
    is_na = pd.isna(value)  # type: ignore[call-overload]  # an array for a list
    return is_na is True or is_na is np.True_


def require_features(frame: pd.DataFrame, encoding: Encoding, what: str) -> None:
    """Check that a frame fits an encoding.

    Args:
        frame: The features frame.
        encoding: The encoding.
        what: What the frame is, for the beginning of the message.

    Raises:
        InputError: a feature does not fit; the message lists all of them, one per line.
    """
    problems = mismatches(frame, encoding)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise InputError(f"{what} do not fit in {len(problems)} of their columns:\n{listed}")


def _plain_numbers(frame: pd.DataFrame, encoding: Encoding) -> dict[int, str]:
    """Numeric features whose columns are numeric, by their position in the encoding."""
    numeric = {str(name) for name, dtype in frame.dtypes.items() if dtype.kind in "iufb"}
    return {
        place: feature.name
        for place, feature in enumerate(encoding.features)
        if feature.type == "number" and feature.name in numeric
    }


def _type_of(column: pd.Series) -> FeatureType:
    if column.name == CLUSTER:
        return "id"
    return "text" if _content(column) == "text" else "number"


def _content(column: pd.Series) -> str:
    """What a column holds: by its dtype, or by its values where the dtype leaves it open."""
    if column.dtype.kind in "iufb":
        return "numbers"
    is_categorical = isinstance(column.dtype, pd.CategoricalDtype)
    values = column.cat.categories if is_categorical else column
    return _kind(pd.api.types.infer_dtype(values, skipna=True))


def _kind(inferred: str) -> str:
    """What pandas inferred, in the words of a message."""
    if inferred in {"string", "empty"}:
        return "text"
    numeric = {"floating", "integer", "mixed-integer-float", "boolean"}
    return "numbers" if inferred in numeric else inferred


def _mismatch(frame: pd.DataFrame, feature: Feature) -> str | None:
    accepted = _ACCEPTED[feature.type]
    if feature.name not in frame.columns:
        return f"missing; {accepted} are needed"
    column = frame[feature.name]
    content = _content(column)
    if content == ("text" if feature.type == "text" else "numbers"):
        has_fractions = feature.type == "id" and not _are_whole(column)
        return f"found fractions; {accepted} are needed" if has_fractions else None
    # A column without any value has whatever dtype its reader chose.
    return None if column.isna().all() else f"found {content}; {accepted} are needed"


def _are_whole(column: pd.Series) -> bool:
    numbers = _numbers(column)
    return bool(np.all(np.isnan(numbers) | (numbers == np.floor(numbers))))


def _numbers(column: pd.Series | pd.DataFrame) -> NDArray[np.float64]:
    return _finite(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Adding zero turns -0.0 into 0.0.
    finite = values + 0.0
    finite[np.isinf(values)] = np.nan
    return np.clip(finite, -FLOAT32_MAX, FLOAT32_MAX, out=finite)


def _with_midpoints(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Set the last bit of each value to zero, in place."""
    bits = matrix.view(np.uint32)
    bits &= np.uint32(0xFFFFFFFE)
    return matrix


def _texts(column: pd.Series, feature: Feature) -> pd.Series:
    """Values as categories spell them; missing ones are None."""
    if feature.type == "text":
        return column.astype(object)
    return pd.Series(_numbers(column)).astype("Int64").astype("string").astype(object)


def _encode_column(column: pd.Series, feature: Feature) -> NDArray[np.float64]:
    if feature.type == "number":
        return _numbers(column)
    categories = pd.Index(feature.categories, dtype=object)
    texts = _texts(column, feature)
    codes = categories.get_indexer(pd.Index(texts, dtype=object))
    listed = np.where(codes >= 0, codes, feature.other_code)
    return np.where(texts.isna(), np.nan, listed)


def _with_categories(feature: Feature, frames: Sequence[pd.DataFrame]) -> Feature:
    if feature.type == "number":
        return feature
    counts = pd.concat([_texts(frame[feature.name], feature) for frame in frames]).value_counts()
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], str(entry[0])))
    kept = tuple(str(value) for value, _ in ranked[:MAX_CATEGORIES])
    other = _typical_codes([rows for _, rows in ranked])
    if len(ranked) > len(kept):
        other = (len(kept),)
    return feature.model_copy(update={"categories": kept, "other": other})


def _typical_codes(rows: Sequence[int]) -> tuple[int, ...]:
    """Codes in the middle of each tenth of the rows, given the rows of each code."""
    if not rows:
        return ()
    middles = (np.arange(TYPICAL_CODES) + 0.5) / TYPICAL_CODES * sum(rows)
    return tuple(np.searchsorted(np.cumsum(rows), middles, side="right").tolist())
