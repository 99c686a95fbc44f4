"""What a model is made from: its snapshots as rows, and the card as far as that says it.

Scope: everything that is settled before anything is learnt.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ds_assets.core.cards import library_versions, sha256_of, version_of
from ds_assets.core.encoding import Encoding
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.data.training_rows import NO_FEATURES, Rows, encoding_of, rows_of
from ds_assets.core.models.learning.calibration import HALF_LIFE
from ds_assets.core.models.learning.learner import hyper_parameters
from ds_assets.core.targets import Target


@dataclass(frozen=True)
class TrainedModel:
    """A card and, where there was enough data, the model as ONNX, and further files by name."""

    card: ModelCard
    onnx: bytes | None
    parts: dict[str, bytes]


@dataclass(frozen=True)
class Plan:
    """What a model is made from.

    Attributes:
        target: What is predicted.
        as_of: Training day.
        snapshots: Matured snapshots, ascending by day.
        seed: Makes training repeatable.
    """

    target: Target
    as_of: dt.date
    snapshots: list[LabelledSnapshot]
    seed: int


@dataclass(frozen=True)
class EncodedRows:
    """The rows of snapshots, and the encoding of their features."""

    encoding: Encoding
    rows: Rows


def encode_rows(snapshots: Sequence[LabelledSnapshot]) -> EncodedRows:
    """Fit the encoding to snapshots, ascending by day, and encode them; there may be none."""
    if not snapshots:
        nothing = Rows(
            np.empty((0, 0), np.float32),
            np.empty(0, bool),
            np.empty(0, object),
            None,
            np.empty(0, np.intp),
        )
        return EncodedRows(NO_FEATURES, nothing)
    encoding = encoding_of(snapshots)
    return EncodedRows(encoding, rows_of(snapshots, encoding))


def make_blank_card(
    plan: Plan,
    kept: Sequence[LabelledSnapshot],
    encoded: EncodedRows,
    same_way_as: str | None = None,
) -> ModelCard:
    """Make the card as far as it is known before anything is learnt.

    Args:
        plan: What the model is made from.
        kept: The snapshots that it remembers.
        encoded: Their rows.
        same_way_as: Version of the model in whose way it is made; none where choices are made.
    """
    rows = encoded.rows
    all_rows = encoded if len(kept) == len(plan.snapshots) else encode_rows(plan.snapshots)
    made_from: dict[str, Any] = {
        "target": plan.target.name,
        "as_of": plan.as_of,
        "horizon": plan.target.horizon,
        "user_groups": plan.target.user_groups,
        "seed": plan.seed,
        "hyper_parameters": {
            **hyper_parameters(min(len(rows.labels), plan.target.max_fit_rows)),
            "level_half_life": HALF_LIFE,
        },
        "data_fingerprint": _fingerprint(plan.snapshots, all_rows),
        "libraries": library_versions(),
    }
    return ModelCard(
        **made_from,
        definition=plan.target.definition,
        version=version_of(**made_from, **_optional_parts(plan, same_way_as)),
        state="not_enough_data",
        reasons=(),
        encoding=encoded.encoding,
        trained=plan.as_of,
        snapshots=tuple(snapshot.day for snapshot in kept),
        missing_snapshots=(),
        rows=len(rows.labels),
        positives=int(rows.labels.sum()),
        base_rate=float(rows.labels.mean()) if len(rows.labels) else None,
        onnx_sha256=None,
    )


def _optional_parts(plan: Plan, same_way_as: str | None) -> Mapping[str, str]:
    """What else sets a version apart, where there is any, so that other versions stay the same."""
    parts = {"definition": plan.target.definition, "same_way_as": same_way_as}
    return {name: part for name, part in parts.items() if part is not None}


def _fingerprint(snapshots: Sequence[LabelledSnapshot], encoded: EncodedRows) -> str:
    sizes = ",".join(f"{snapshot.day}:{len(snapshot.labels)}" for snapshot in snapshots)
    # What stands for other categories follows from the matrix.
    columns = encoded.encoding.model_dump_json(exclude={"features": {"__all__": {"other"}}})
    rows = encoded.rows
    spend = b"" if rows.spend is None else rows.spend.data
    groups = json.dumps(rows.groups.tolist()).encode()
    numbers = (rows.matrix.data, rows.labels.data, spend)
    revisions = _revision_hashes(snapshots)
    return sha256_of([sizes.encode(), columns.encode(), groups, *numbers, *revisions])


def _revision_hashes(snapshots: Sequence[LabelledSnapshot]) -> Iterator[bytes]:
    """Hashes of what was known on earlier days, which decides choices and measures."""
    for snapshot in snapshots:
        for day, revision in sorted(snapshot.revisions.items()):
            frame = revision.columns.assign(labels=revision.labels, spend=revision.spend)
            yield str(day).encode()
            yield pd.util.hash_pandas_object(frame).to_numpy().tobytes()
