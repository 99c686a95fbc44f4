"""Predictions as JSON, the same whichever source an answer comes from.

Scope: rows of `PREDICTIONS` as members of a JSON object, those of a game's own targets as a member
`targets` behind them, the user's offers as its last member `promotions`, and the facts about a row
that decide an answer's status. The user id, and what an answer says about itself, are in
`serving/answer.py`.

The JSON is made once, when a row is stored. Serving only puts it behind what changes with time.
"""

import datetime as dt
import json
import math
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from ds_assets.core.schema import Column
from ds_assets.core.tables import PREDICTIONS
from ds_assets.core.targets import BUILT_IN, EARLY_VERSION
from ds_assets.core.user_offers import COLUMNS as OFFER_COLUMNS
from ds_assets.core.user_offers import PROMOTIONS
from ds_assets.core.user_targets import COLUMNS as TARGET_COLUMNS
from ds_assets.core.user_targets import TARGETS

COLUMNS = tuple(column for column in PREDICTIONS.columns if column.name != "user_id")
"""Columns of the JSON, in its order."""
OPTIONAL = tuple(name for target in BUILT_IN for name in (target.low_column, target.high_column))
"""Members that are left out where they are missing, as trained models have none of them: a cache
of a million users would hold 120 MB of nothing."""

_NAMES = tuple(column.name for column in COLUMNS)
_DATES = tuple(column.name for column in COLUMNS if column.type == "date")
_RAW_JSON = tuple(column.name for column in COLUMNS if column.type == "json")
_TARGET_NAME, *_TARGET_MEMBERS = TARGET_COLUMNS
_EPOCH = dt.date(1970, 1, 1).toordinal()
_PROMOTIONS_MEMBER = f',"{PROMOTIONS}":'.encode()
_encode = msgspec.json.Encoder().encode

NO_PREDICTION = (
    b",".join(b'"%b":null' % name.encode() for name in _NAMES if name not in OPTIONAL) + b"}"
)
"""Members for a user about whom nothing is known, not even an average."""


class EncodedPrediction(msgspec.Struct, frozen=True, gc=False):
    """A row of `PREDICTIONS` as JSON, with what must be known of it without parsing that.

    Attributes:
        as_of: Day of the prediction, as `date.toordinal()`.
        last_seen: Day on which the user was last active, likewise; 0 if unknown.
        has_probability: Whether any probability of a built-in target was predicted.
        is_early: Whether one was, but none by a trained model.
        members: Members of a JSON object and its closing brace, without the opening brace.
        has_offers: Whether the last of them is `promotions`.
    """

    as_of: int
    last_seen: int
    has_probability: bool
    is_early: bool
    members: bytes
    has_offers: bool = False


def encode_rows(rows: pa.RecordBatch) -> list[EncodedPrediction]:
    """Encode rows of `PREDICTIONS`, which may have the columns `targets` and `promotions`."""
    as_of, last_seen = (_ordinals(rows[name]) for name in ("as_of", "last_seen"))
    members, has_offers = encode_members(rows), _which_have_offers(rows)
    facts = (as_of, last_seen, *_which_models(rows), members, has_offers)
    return list(map(EncodedPrediction, *facts))


def encode_record(record: Mapping[str, Any]) -> EncodedPrediction:
    """Encode one row of plain values by column; as a table it would take 100 times as long."""
    values = {
        name: record[name] for name in _NAMES if name not in OPTIONAL or _is_finite(record[name])
    }
    for name in _RAW_JSON:
        values[name] = _raw(values[name])
    if targets := record.get(TARGETS):
        values[TARGETS] = {target["target"]: _target_values(target) for target in targets}
    if offers := record.get(PROMOTIONS):
        values[PROMOTIONS] = [{it.name: offer[it.name] for it in OFFER_COLUMNS} for offer in offers]
    predicted = [target for target in BUILT_IN if _is_finite(record[target.probability_column])]
    is_trained = any(not _is_early(record[target.model_column]) for target in predicted)
    return EncodedPrediction(
        record["as_of"].toordinal(),
        record["last_seen"].toordinal() if record["last_seen"] else 0,
        bool(predicted),
        bool(predicted) and not is_trained,
        _encode(values)[1:],
        bool(offers),
    )


def encode_members(rows: pa.RecordBatch) -> list[bytes]:
    """Encode the members of each row, as in `EncodedPrediction`."""
    parts: list[Any] = []
    for column in COLUMNS:
        separator = "," if parts else ""
        member = f'{separator}"{column.name}":'
        if column.name in OPTIONAL:
            parts.append(_encode_optional(member, rows[column.name], column))
        else:
            parts += [member, _encode_column(rows[column.name], column)]
    if TARGETS in rows.schema.names:
        parts.append(_encode_targets(rows[TARGETS]))
    if PROMOTIONS in rows.schema.names:
        parts.append(_encode_offers(rows[PROMOTIONS]))
    joined = pc.binary_join_element_wise(*parts, "}", "")
    encoded: list[bytes] = joined.cast(pa.binary()).to_pylist()
    return encoded


def decode_members(members: bytes) -> dict[str, Any]:
    """Decode members into values by column; reasons become lists of objects."""
    values: dict[str, Any] = json.loads(b"{" + members)
    values |= {name: None for name in OPTIONAL if name not in values}
    for name in _DATES:
        if values[name] is not None:
            values[name] = dt.date.fromisoformat(values[name])
    for offer in values.get(PROMOTIONS, ()):
        offer["until"] = dt.date.fromisoformat(offer["until"])
    return values


def without_past_offers(members: bytes, today: str) -> bytes:
    """Leave out the offers that are over, and the member `promotions` if all are.

    A prediction is served for longer than a day where there is no newer one.

    Args:
        members: Members whose last one is `promotions`.
        today: The present day, as in the JSON.
    """
    others, _, last = members.rpartition(_PROMOTIONS_MEMBER)  # no text contains a bare quote
    offers = msgspec.json.decode(last[:-1])
    current = [offer for offer in offers if offer["until"] >= today]
    if len(current) == len(offers):
        return members
    return others + (_PROMOTIONS_MEMBER + _encode(current) if current else b"") + b"}"


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text)


def _target_values(target: Mapping[str, Any]) -> dict[str, Any]:
    """What the JSON says of one target of a user."""
    return {
        column.name: _raw(target[column.name]) if column.type == "json" else target[column.name]
        for column in _TARGET_MEMBERS
    }


def _encode_optional(member: str, values: pa.Array, column: Column) -> pa.Array:
    """Encode a member of each row with its name; nothing where it is missing."""
    encoded = pc.binary_join_element_wise(member, _encode_column(values, column), "")
    return pc.if_else(pc.is_finite(values).fill_null(False), encoded, "")


def _encode_targets(lists: pa.Array) -> pa.Array:
    """Encode the member `targets` of each row with its comma; nothing for an empty list."""
    targets = pa.RecordBatch.from_struct_array(lists.flatten())
    parts: list[Any] = [_encode_column(targets["target"], _TARGET_NAME)]
    for column in _TARGET_MEMBERS:
        separator = "," if len(parts) > 1 else ":{"
        parts += [f'{separator}"{column.name}":', _encode_column(targets[column.name], column)]
    encoded = pc.binary_join_element_wise(*parts, "}", "")
    return _encode_lists(TARGETS, lists, encoded, ("{", "}"))


def _encode_offers(lists: pa.Array) -> pa.Array:
    """Encode the member `promotions` of each row with its comma; nothing for an empty list."""
    offers = pa.RecordBatch.from_struct_array(lists.flatten())
    parts: list[Any] = []
    for column in OFFER_COLUMNS:
        separator = "," if parts else "{"
        parts += [f'{separator}"{column.name}":', _encode_column(offers[column.name], column)]
    encoded = pc.binary_join_element_wise(*parts, "}", "")
    return _encode_lists(PROMOTIONS, lists, encoded, ("[", "]"))


def _encode_lists(
    name: str, lists: pa.Array, encoded: pa.Array, brackets: tuple[str, str]
) -> pa.Array:
    """Join the encoded elements of each list to a member with its comma; nothing if it is empty."""
    counts = pc.list_value_length(lists).fill_null(0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(counts)])
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, encoded), ",")
    opening, closing = brackets
    member = pc.binary_join_element_wise(f',"{name}":{opening}', joined, closing, "")
    return pc.if_else(pc.equal(counts, 0), "", member)


def _ordinals(dates: pa.Array) -> list[int]:
    """Days as `date.toordinal()`, 0 for none."""
    ordinals: list[int] = pc.add(dates.cast(pa.int32()), _EPOCH).fill_null(0).to_numpy().tolist()
    return ordinals


def _which_models(rows: pa.RecordBatch) -> tuple[list[bool], list[bool]]:
    """Whether each row has a finite probability; and whether it has one, but no trained one."""
    has_any = has_trained = pa.repeat(pa.scalar(False), rows.num_rows)
    for target in BUILT_IN:
        is_finite = pc.is_finite(rows[target.probability_column]).fill_null(False)
        model = rows[target.model_column].cast(pa.string())
        is_early = pc.starts_with(model, EARLY_VERSION).fill_null(False)
        is_trained = pc.and_not(is_finite, is_early)
        has_any, has_trained = pc.or_(has_any, is_finite), pc.or_(has_trained, is_trained)
    return _flags(has_any), _flags(pc.and_not(has_any, has_trained))


def _which_have_offers(rows: pa.RecordBatch) -> list[bool]:
    if PROMOTIONS not in rows.schema.names:
        return [False] * rows.num_rows
    return _flags(pc.greater(pc.list_value_length(rows[PROMOTIONS]).fill_null(0), 0))


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _is_early(version: str | None) -> bool:
    return version is not None and version.startswith(EARLY_VERSION)


def _flags(values: pa.Array) -> list[bool]:
    flags: list[bool] = values.to_numpy(zero_copy_only=False).tolist()
    return flags


def _encode_column(values: pa.Array, column: Column) -> pa.Array:
    """Encode each value as JSON."""
    if column.type == "date":
        encoded = pc.binary_join_element_wise('"', values.cast(pa.string()), '"', "")
    elif column.type == "text":
        distinct = values.dictionary_encode()  # few distinct texts, repeated in many rows
        quoted = pa.array(map(encode_basestring, distinct.dictionary.to_pylist()), pa.string())
        encoded = quoted.take(distinct.indices)
    elif column.type == "real":
        encoded = pc.if_else(pc.is_finite(values), values, None).cast(pa.string())
    else:  # integers read the same in JSON, and JSON columns are JSON already
        encoded = values.cast(pa.string())
    return encoded.fill_null("null")
