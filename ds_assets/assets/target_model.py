"""The model of a target: trained for each day on the snapshots that had matured by its end.

Validation models are trained as on the day of their snapshot: with the labels that the logs that
had arrived by then give, and the clusters of that day.

Scope: gathering what a training day may see; how a model is trained is in `core.models.training`.
"""

import datetime as dt
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dagster as dg
import pandas as pd

from ds_assets.core import labels
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.lineage import lineage_of
from ds_assets.core.models.card.markdown import describe_pictures, format_card
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.models.card.page import ExplainedNumber, explain_numbers, list_numbers
from ds_assets.core.models.card.pictures import draw_model
from ds_assets.core.models.data.snapshots import LabelledSnapshot
from ds_assets.core.models.data.sufficiency import find_shut_weekday
from ds_assets.core.models.evaluation.drift import continue_drifts
from ds_assets.core.models.inference.importance import measure_importance
from ds_assets.core.models.inference.onnx_model import load_prediction_model
from ds_assets.core.models.learning.early_model import EarlyCard
from ds_assets.core.models.training.champion import Champion, refuse_unreadable
from ds_assets.core.models.training.early import EarlyData, choose_check_horizon, make_early
from ds_assets.core.models.training.plan import TrainedModel
from ds_assets.core.models.training.train import train
from ds_assets.core.open_days import subtract_open_days
from ds_assets.core.snapshot_days import list_snapshots
from ds_assets.core.targets import Target
from ds_assets.core.window_days import find_distorting_days
from ds_assets.daily_assets import (
    daily_asset,
    days_of,
    days_with,
    in_batches,
    pictured_days,
    pictures,
    recording,
    report_days,
    warn,
)
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.labels import days_without_counts
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import (
    Warn,
    cards_before,
    drift_of,
    store_model,
    stored_files,
)
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.refresh import describe_days
from ds_assets.infra.lake.tables import between, count_rows
from ds_assets.infra.training_snapshots import LabelledSnapshots, SnapshotReader, find_share

BATCH_BYTES = 256 << 20
"""Bytes of stored activity, once for each label window that sees them, that are joined at once."""

_MAX_DAYS_NAMED = 5
_NOT_SHOWN: Any = {
    **dict.fromkeys(("encoding", "distributions"), True),
    "folds": {"__all__": {"curves"}},
}
"""Parts of a card that are too long to read; the file has them."""
TARGET_TAG = "ds_assets/target"
"""Tag of a model asset, so that `tag:ds_assets/target=churn` selects it in the UI."""


def update(
    target: Target, days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, ModelCard]:
    """Train the model of each day on what was known at its end, and store it.

    Days go in their order, as each of them challenges the model of the one before.
    """
    records = Records(lineage_of(game), lake)
    refused = records.refused_days()
    stored, features_days = map(records.usable_files, ("user_activity", "user_features"))
    uncounted = _find_uncounted_days(target, days, stored, lake, game)
    activity = {day: file for day, file in stored.items() if day not in uncounted}
    if uncounted:
        target = replace(target, first_day=max(target.first_day, uncounted[-1]))

    def wanted_snapshots(day: dt.date) -> list[dt.date]:
        listed = list_snapshots(target, day, game)
        latest = next((it for it in reversed(listed) if it in features_days), None)
        users = 0 if latest is None else count_rows("user_features", latest, lake)
        return listed[-target.count_snapshots(users) :]

    def complete_snapshots(wanted: Iterable[dt.date]) -> list[dt.date]:
        return [
            snapshot
            for snapshot in wanted
            if snapshot in features_days
            and labels.is_matured(snapshot, target.horizon, activity, game)
            and not find_distorting_days(snapshot, stored, game)
        ]

    wanted = {day: wanted_snapshots(day) for day in sorted(days)}
    complete = {day: complete_snapshots(listed) for day, listed in wanted.items()}
    share = find_share(target, complete.values(), lake)
    reader = SnapshotReader(target, activity, share, lake, engine, game, warn)
    cards: dict[dt.date, ModelCard] = {}
    for batch in in_batches(complete, lambda day: reader.count_bytes(complete[day]), BATCH_BYTES):
        spend = reader.find_outcomes({day: complete[day] for day in batch})
        for day in batch:
            absent = _find_absent_days(target, wanted[day], stored, game)
            unfeatured = (it for it in wanted[day] if it in stored and it not in features_days)
            data = _TrainingData(
                reader.label(day, complete[day], spend),
                partial(reader.revise, day, complete[day], spend),
                wanted=tuple(wanted[day]),
                uncounted=tuple(it for it in uncounted if it <= day),
                missing=tuple(it for it in absent if it not in refused),
                refused=tuple(it for it in absent if it in refused),
                unfeatured=tuple(unfeatured),
            )
            logged_days = sum(it <= day for it in stored)
            early = partial(
                _read_early, target, day, logged_days, features_days, reader.read_features
            )
            cards[day] = _train(target, day, data, early, lake, game)
    return cards


def build(target: Target, game: Game) -> dg.AssetsDefinition:
    """The asset that trains a target's model, such as `churn_model`."""

    @daily_asset(
        game,
        target.model_asset,
        "models",
        {"lightgbm", "parquet"},
        f"Chance of {target.wording.outcome} within {target.horizon} days, for {target.users}: "
        "boosted trees.",
        tags={TARGET_TAG: target.name},
    )
    def model(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        days = days_with(days_of(context), "clusters", lake, context, game)
        with recording(context, days, lake, game):
            cards = update(target, days, lake, engine, game)
        pictured = pictured_days(days)
        report_days(
            context,
            {d: _metadata(target, card, pictured=d in pictured) for d, card in cards.items()},
        )

    return model


def _find_uncounted_days(
    target: Target, days: Sequence[dt.date], stored: Iterable[dt.date], lake: Lake, game: Game
) -> list[dt.date]:
    """Stored days that lack the target's events, among those that training days look at."""
    wanted = [snapshot for day in days for snapshot in list_snapshots(target, day, game)]
    if not wanted:
        return []
    return days_without_counts(target, between(stored, min(wanted), max(days)), lake)


def _find_absent_days(
    target: Target, snapshots: Iterable[dt.date], activity: Container[dt.date], game: Game
) -> list[dt.date]:
    """Days without activity, so that snapshots lack features, labels or users."""
    absent: set[dt.date] = set()
    for snapshot in snapshots:
        window = labels.label_days(snapshot, target.horizon, game)
        absent.update(it for it in window if it not in activity)
        absent.update(find_distorting_days(snapshot, activity, game))
        if snapshot not in activity:
            absent.add(snapshot)
    return sorted(absent)


@dataclass(frozen=True)
class _TrainingData:
    """What a model is trained and validated on.

    Attributes:
        labelled: Matured snapshots as known on the training day.
        revise: Returns them with what was known on validation days, too.
        wanted: Days of the snapshots that there should be.
        uncounted: Days on which the target's events were not counted.
        missing: Days whose activity snapshots lack, and that are not refused.
        refused: Those that are refused.
        unfeatured: Days of snapshots with activity, but without features.
    """

    labelled: LabelledSnapshots
    revise: Callable[[], LabelledSnapshots]
    wanted: tuple[dt.date, ...]
    uncounted: tuple[dt.date, ...]
    missing: tuple[dt.date, ...]
    refused: tuple[dt.date, ...]
    unfeatured: tuple[dt.date, ...]


def _read_early(
    target: Target,
    day: dt.date,
    logged_days: int,
    stored: Container[dt.date],
    features: Callable[[dt.date], pd.DataFrame],
) -> EarlyData:
    """Read what the early model of a day is made from.

    Args:
        target: What is predicted.
        day: The day.
        logged_days: Days of stored activity up to and with it.
        stored: Days with features.
        features: Reads those of a day.
    """
    horizon = choose_check_horizon(target, logged_days)
    earlier = subtract_open_days(day, horizon, target.closed_days)
    now, then = (features(it) if it in stored else None for it in (day, earlier))
    return EarlyData(now, logged_days, then, horizon)


def _train(
    target: Target,
    day: dt.date,
    data: _TrainingData,
    read_early: Callable[[], EarlyData],
    lake: Lake,
    game: Game,
) -> ModelCard:
    snapshots = data.labelled.snapshots
    missing = tuple(sorted(set(data.wanted) - {snapshot.day for snapshot in snapshots}))
    unclustered, unreadable = list(data.labelled.unclustered), list[str]()

    def note(text: str) -> None:
        unreadable.append(text)
        warn(text)

    def revise() -> Sequence[LabelledSnapshot]:
        revised = data.revise()
        unclustered[:] = revised.unclustered
        return revised.snapshots

    champion = _find_champion(target.name, day, lake, note)
    trained = train(target, day, snapshots, revise, champion=champion)
    card = _with_unreadable(trained.card, unreadable)
    reasons = (*card.reasons, *_describe_lacking_days(card, data))
    facts = {"unclustered": tuple(unclustered), "missing_snapshots": missing, "reasons": reasons}
    card = card.model_copy(update=facts)
    if card.state != "ready" and find_shut_weekday(data.missing) is not None:
        card = card.model_copy(update={"enough_on": None})  # waiting does not help
    if card.state != "ready" and target.may_be_early:
        card = _with_early(card, make_early(target, read_early()))
    if card.state == "ready":
        before = {} if champion is None else champion.card.drifts
        card = card.model_copy(
            update={
                "importance": _measure_importance(trained, snapshots, game),
                "drifts": continue_drifts(before, day, drift_of(card, day, lake, game)),
            }
        )
    store_model(target.name, day, card, trained.onnx, lake, trained.parts)
    return card


def _measure_importance(
    trained: TrainedModel, snapshots: Sequence[LabelledSnapshot], game: Game
) -> dict[str, float]:
    """What the model goes by; what its card says already where there are no users to ask."""
    latest = next((it.features for it in reversed(snapshots) if len(it.features)), None)
    if latest is None or trained.onnx is None:
        return trained.card.importance
    model = load_prediction_model(trained.onnx, trained.parts, trained.card)
    return measure_importance(model, latest, declare_features(game))


def _describe_lacking_days(card: ModelCard, data: _TrainingData) -> Iterator[str]:
    """Name the days that snapshots lack, with what to do; a model needs no missing day."""
    if data.uncounted:
        yield (
            f"user_activity of {describe_days(data.uncounted)} was made before the events of this "
            "target were counted; materialize user_activity of these days again"
        )
    if card.state == "ready":
        return
    if data.refused:
        yield (
            f"snapshots lack {_name_days(data.refused)}, refused: replace the files, or let a "
            "day pass with `ds-assets accept DAY --reason REASON`"
        )
    if data.unfeatured:
        yield (
            f"features of snapshots are not computed yet, of {_name_days(data.unfeatured)}: "
            f"`ds-assets run {card.as_of}` computes them from the stored activity"
        )
    weekday = find_shut_weekday(data.missing)
    if weekday is not None:
        yield (
            f"snapshots lack {len(data.missing)} days without files, every {weekday} from "
            f"{data.missing[0]} to {data.missing[-1]}: if the game is always shut then, add "
            f"{weekday.lower()} to closed_days, as a label window with a day without files never "
            "matures"
        )
    elif data.missing:
        yield (
            f"snapshots lack {_name_days(data.missing)}, missing: run each with `ds-assets run "
            "DAY`, or add those that the game was offline to closed_days"
        )


def _name_days(days: Sequence[dt.date]) -> str:
    return ", ".join(map(str, days)) if len(days) <= _MAX_DAYS_NAMED else describe_days(days)


def _find_champion(target: str, day: dt.date, lake: Lake, note: Warn) -> Champion | None:
    """The model of the latest day before that has one, if it is not too long ago.

    Without a model that can be read there is no champion: the new one is used without comparison.
    """
    refused = Records({}, lake).refused_days()
    for card in cards_before(target, day, ModelCard, refused, lake, note):
        if card.state == "ready":
            try:
                files = stored_files(target, card, lake, with_validation_models=True)
                refuse_unreadable(files, card)
            except InputError as error:
                note(f"the model of {card.as_of} is no champion: {error}")
            else:
                return Champion(card, files)
    return None


def _with_unreadable(card: ModelCard, unreadable: Sequence[str]) -> ModelCard:
    """The card with the models of the days before that could not be read."""
    if not unreadable or card.decision is None:
        return card
    reason = "; ".join([card.decision.reason, *unreadable])
    return card.model_copy(update={"decision": card.decision.model_copy(update={"reason": reason})})


def _with_early(card: ModelCard, early: EarlyCard | str) -> ModelCard:
    """The card with an early model, or with what is missing even for that."""
    if isinstance(early, EarlyCard):
        return card.model_copy(update={"early": early})
    return card.model_copy(update={"reasons": (*card.reasons, early)})


def _metadata(target: Target, card: ModelCard, *, pictured: bool) -> dict[str, object]:
    shown: dict[str, object] = {"about": dg.MetadataValue.md(format_card(target, card))}
    drawn = draw_model(target, card) if pictured else {}
    if drawn:
        shown["pictures"] = pictures(drawn, describe_pictures(target, card))
    rows = [dg.TableRecord(row._asdict()) for row in explain_numbers(card)]
    shown["numbers"] = dg.MetadataValue.table(rows, _NUMBERS)
    shown |= list_numbers(card)  # once more, as only these are plotted over days
    shown["card"] = dg.MetadataValue.json(card.model_dump(mode="json", exclude=_NOT_SHOWN))
    return shown


_NUMBERS = dg.TableSchema([dg.TableColumn(name) for name in ExplainedNumber._fields])
