"""What a promotion is expected to change for each user who qualifies on the day."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import pandas as pd

from ds_assets.core.contracts import conform
from ds_assets.core.encoding import USER_ID
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.promotions.candidates import select_qualified
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.user_effects import (
    describe_effects,
    describe_policy,
    find_objection,
    with_groups,
)
from ds_assets.core.tables import PREDICTIONS, USER_EFFECTS
from ds_assets.daily_assets import (
    daily_asset,
    days_of,
    days_with,
    recording,
    report_days,
    table_schema,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.effect_models import read_effect_cards, read_effect_models
from ds_assets.infra.lake.tables import read_rows, store_rows
from ds_assets.infra.qualified_users import read_qualified

TABLE = USER_EFFECTS.name


@dataclass(frozen=True)
class DayEffects:
    """The effects of a day.

    Attributes:
        rows: The columns of `USER_EFFECTS`.
        words: Who chooses the users of each promotion, and why.
    """

    rows: pd.DataFrame
    words: Mapping[str, str]


def update(
    days: Sequence[dt.date], lake: Lake, engine: LakeEngine, game: Game
) -> dict[dt.date, DayEffects]:
    """Apply the effect models of days to the users who qualify, and store what they say."""
    return {day: _predict_day(day, lake, engine, game) for day in sorted(days)}


def _predict_day(day: dt.date, lake: Lake, engine: LakeEngine, game: Game) -> DayEffects:
    cards = read_effect_cards(day, lake, game)
    objections = {name: find_objection(card, game) for name, card in cards.items()}
    used = [card for name, card in cards.items() if not objections[name]]
    rows = _predict(day, used, lake, engine, game) if used else []
    whole = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=USER_EFFECTS.names)
    whole = whole.sort_values([*USER_EFFECTS.key], ignore_index=True)
    store_rows(conform(USER_EFFECTS, whole), TABLE, day, lake)
    words = {name: objections[name] or describe_policy(card) for name, card in cards.items()}
    return DayEffects(whole, words)


def _predict(
    day: dt.date, cards: Sequence[UpliftCard], lake: Lake, engine: LakeEngine, game: Game
) -> list[pd.DataFrame]:
    qualified, declared = read_qualified(day, lake, engine, game), declare_features(game)
    rows = []
    for card in cards:
        users = select_qualified(card.promotion, qualified)
        table = user_features_table(game)
        stored: pd.DataFrame = read_rows(table, day, lake, users[USER_ID]).to_pandas()
        grouped = with_groups(stored, stored[[USER_ID]].merge(users, on=USER_ID))
        rows.append(describe_effects(day, read_effect_models(card, lake), grouped, declared))
    return [frame for frame in rows if len(frame)]


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `user_effects`."""

    @daily_asset(
        game,
        TABLE,
        "predictions",
        {"engine", "parquet"},
        __doc__,
        metadata=table_schema(USER_EFFECTS),
    )
    def user_effects(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        days = days_with(days_of(context), PREDICTIONS.name, lake, context, game)
        with recording(context, days, lake, game):
            effects = update(days, lake, engine, game)
        report_days(context, {day: _metadata(it) for day, it in effects.items()})

    return user_effects


def _metadata(effects: DayEffects) -> dict[str, object]:
    """Who chooses the users of each promotion, and how large its effect is expected to be."""
    shown: dict[str, object] = {"dagster/partition_row_count": len(effects.rows), **effects.words}
    for name, rows in effects.rows.groupby("promotion"):
        shown[f"{name}_effect"] = float(rows["effect"].mean())
        if rows["treats"].notna().any():
            shown[f"{name}_treated_share"] = float(rows["treats"].astype(bool).mean())
    return shown
