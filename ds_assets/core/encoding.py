"""Features as the numbers that a model reads, the same way in training and in scoring.

Belongs here: which columns are features, of what type, and how each becomes a float32.
Does not belong here: how a feature is computed, and how numbers are scaled for distances.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ds_assets.errors import InputError

FeatureType = Literal["number", "text", "id"]
"""An id is a whole number that is a name: its order means nothing."""

USER_ID = "user_id"
USER_GROUP = "user_group"
CLUSTER = "cluster"
MOST_CATEGORIES = 50
"""Rarer values say too little about too few users to learn from."""

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
        categories: For text and ids, the values that have a number, the most frequent first.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: FeatureType
    categories: tuple[str, ...] = ()


class Encoding(BaseModel):
    """The columns of the matrix, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[Feature, ...]

    @property
    def names(self) -> list[str]:
        """Names of the features, in order."""
        return [feature.name for feature in self.features]

    @cached_property
    def types(self) -> tuple[tuple[str, FeatureType], ...]:
        """Name and type of each feature, in order."""
        return tuple((feature.name, feature.type) for feature in self.features)


def fit_encoding(frames: Sequence[pd.DataFrame]) -> Encoding:
    """Learn the features' types and categories from the training rows alone.

    Every column is a feature, except those that name the user and the user's group. A category's
    number is its rank by frequency, ties in the order of the text.

    Args:
        frames: Features frames of the same columns, at least one.

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
    return Encoding(features=tuple(_with_categories(one, frames) for one in types.features))


def encode(
    frame: pd.DataFrame, encoding: Encoding, what: str = "the features"
) -> NDArray[np.float32]:
    """The features as a matrix: missing, infinite and never-seen values become NaN.

    Values beyond float32 are clipped to its range. The last bit of each value's mantissa is zero,
    so that the midpoint of two different values is a float32 too: a tree's threshold between them
    means the same in float64, where it was learnt, and in float32, where it is applied.

    Args:
        frame: Holds every feature; other columns do not matter.
        encoding: What `fit_encoding` returned.
        what: What the frame is, to open a message.

    Returns:
        Array of shape (rows, features), float32, C order.

    Raises:
        InputError: a feature is missing or has the wrong type; the message lists all of them.
    """
    require_features(frame, encoding, what)
    matrix = np.empty((len(frame), len(encoding.features)), dtype=np.float32)
    plain = _plain_numbers(frame, encoding)
    # all at once: a column at a time takes longer than what is done to it
    matrix[:, list(plain)] = _numbers(frame[list(plain.values())])
    for place, feature in enumerate(encoding.features):
        if place not in plain:
            matrix[:, place] = _encode_column(frame[feature.name], feature)
    return _with_midpoints(matrix)


def as_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers as `encode` gives them: missing and infinite ones NaN, enormous ones clipped."""
    return _with_midpoints(_finite(values).astype(np.float32))


def mismatches(frame: pd.DataFrame, encoding: Encoding) -> list[str]:
    """What keeps a frame from being encoded, a phrase for each feature that does not fit."""
    plain = _plain_numbers(frame, encoding)
    return [
        f"{feature.name}: {problem}"
        for place, feature in enumerate(encoding.features)
        if place not in plain and (problem := _mismatch(frame, feature)) is not None
    ]


def mismatch_of(user: Mapping[str, object], feature: Feature) -> str | None:
    """What `mismatches` says of a feature, of one user's values."""
    accepted = _ACCEPTED[feature.type]
    if feature.name not in user:
        return f"missing; {accepted} are needed"
    value = user[feature.name]
    found = _kind(pd.api.types.infer_dtype([value], skipna=True))
    fits = found == ("text" if feature.type == "text" else "numbers") or is_missing(value)
    return None if fits else f"found {found}; {accepted} are needed"


def is_missing(value: object) -> bool:
    """Whether a value says that there is none: None, NaN, NA or NaT."""
    found = pd.isna(value)  # type: ignore[call-overload]  # of a list it is an array
    return found is True or found is np.True_


def require_features(frame: pd.DataFrame, encoding: Encoding, what: str) -> None:
    """Refuse a frame that does not fit.

    Args:
        frame: The features frame.
        encoding: What it must fit.
        what: What the frame is, to open the message.

    Raises:
        InputError: with every mismatch, a line each.
    """
    problems = mismatches(frame, encoding)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise InputError(f"{what} do not fit in {len(problems)} of their columns:\n{listed}")


def _plain_numbers(frame: pd.DataFrame, encoding: Encoding) -> dict[int, str]:
    """Features that are numbers and come as numbers, by their place."""
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
    """What a column holds, by its dtype, or by its values where the dtype does not say."""
    if column.dtype.kind in "iufb":
        return "numbers"
    found = pd.api.types.infer_dtype(column, skipna=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        found = pd.api.types.infer_dtype(column.cat.categories, skipna=True)
    return _kind(found)


def _kind(found: str) -> str:
    """What pandas found, as a message calls it."""
    if found in {"string", "empty"}:
        return "text"
    numeric = {"floating", "integer", "mixed-integer-float", "boolean"}
    return "numbers" if found in numeric else str(found)


def _mismatch(frame: pd.DataFrame, feature: Feature) -> str | None:
    accepted = _ACCEPTED[feature.type]
    if feature.name not in frame.columns:
        return f"missing; {accepted} are needed"
    column = frame[feature.name]
    found = _content(column)
    if found == ("text" if feature.type == "text" else "numbers"):
        broken = feature.type == "id" and not _are_whole(column)
        return f"found fractions; {accepted} are needed" if broken else None
    # a column without a value has whatever dtype its reader chose
    return None if column.isna().all() else f"found {found}; {accepted} are needed"


def _are_whole(column: pd.Series) -> bool:
    numbers = _numbers(column)
    return bool(np.all(np.isnan(numbers) | (numbers == np.floor(numbers))))


def _numbers(column: pd.Series | pd.DataFrame) -> NDArray[np.float64]:
    return _finite(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(values, -FLOAT32_MAX, FLOAT32_MAX)
    # adding zero makes -0.0 the same bits as 0.0
    return np.where(np.isfinite(values), clipped + 0.0, np.nan)


def _with_midpoints(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix itself, with the last bit of each value zero."""
    bits = matrix.view(np.uint32)
    bits &= np.uint32(0xFFFFFFFE)
    return matrix


def _texts(column: pd.Series, feature: Feature) -> pd.Series:
    """The values as the categories spell them, missing ones left out as None."""
    if feature.type == "text":
        return column.astype(object)
    return pd.Series(_numbers(column)).astype("Int64").astype("string").astype(object)


def _encode_column(column: pd.Series, feature: Feature) -> NDArray[np.float64]:
    if feature.type == "number":
        return _numbers(column)
    known = pd.Index(feature.categories, dtype=object)
    codes = known.get_indexer(pd.Index(_texts(column, feature), dtype=object))
    return np.where(codes >= 0, codes, np.nan)


def _with_categories(feature: Feature, frames: Sequence[pd.DataFrame]) -> Feature:
    if feature.type == "number":
        return feature
    counts = pd.concat([_texts(frame[feature.name], feature) for frame in frames]).value_counts()
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], str(entry[0])))
    kept = tuple(str(value) for value, _ in ranked[:MOST_CATEGORIES])
    return feature.model_copy(update={"categories": kept})
