"""What each promotion changes for whom: learnt once a week from users whose horizon is over."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import dagster as dg

from ds_assets.core.lineage import EFFECT_MODELS, lineage_of
from ds_assets.core.promotion_days import effects_learnt_on
from ds_assets.core.promotions.assignment import cost_of, worth_of
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.markdown import describe_uplift_pictures, format_uplift_card
from ds_assets.core.promotions.uplift.pictures import draw_uplift
from ds_assets.core.promotions.uplift.release import train_uplift
from ds_assets.core.promotions.uplift.training import Value
from ds_assets.daily_assets import (
    daily_asset,
    days_of,
    pictured_days,
    pictures,
    recording,
    report_days,
)
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.effect_models import read_effect_cards, store_effect_models
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.promotion_trials import read_trials

Cards = Mapping[str, UpliftCard]


def train_day(day: dt.date, lake: Lake, engine: LakeEngine, game: Game) -> None:
    """Learn the effect of each promotion from what is known at the end of a day, and store it."""
    trials = read_trials(day, Records(lineage_of(game), lake), lake, engine, game)
    for name, trial in trials.items():
        promotion = game.promotions[name]
        value = Value(cost_of(promotion, game), worth_of(promotion, game))
        store_effect_models(train_uplift(trial, day, value), lake)


def update(
    days: Sequence[dt.date],
    lake: Lake,
    engine: LakeEngine,
    game: Game,
    record: Callable[[dt.date], AbstractContextManager[object]],
) -> dict[dt.date, Cards]:
    """Train the models that days use and that are missing. Most runs train none.

    Args:
        days: The days.
        lake: Holds what is learnt from.
        engine: Runs it.
        game: The game.
        record: Records what models are made from, which is done in the context.

    Returns:
        The cards that each day uses, by promotion.
    """
    records = Records(lineage_of(game), lake)
    cards: dict[dt.date, Cards] = {}
    for trained_on in sorted({effects_learnt_on(day) for day in days}):
        if trained_on >= game.first_day and records.needs_run(EFFECT_MODELS, trained_on):
            with record(trained_on):
                train_day(trained_on, lake, engine, game)
        cards[trained_on] = read_effect_cards(trained_on, lake, game)
    return {day: cards[effects_learnt_on(day)] for day in days}


def build(game: Game) -> dg.AssetsDefinition:
    """The asset `effect_models`."""

    @daily_asset(game, EFFECT_MODELS, "models", {"engine", "lightgbm"}, __doc__)
    def effect_models(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        engine: dg.ResourceParam[LakeEngine],
    ) -> None:
        def record(day: dt.date) -> AbstractContextManager[object]:
            return recording(context, [day], lake, game)

        days = days_of(context)
        cards = update(days, lake, engine, game, record)
        pictured = pictured_days(days)
        report_days(
            context, {day: _metadata(it, pictured=day in pictured) for day, it in cards.items()}
        )

    return effect_models


def _metadata(cards: Cards, *, pictured: bool) -> dict[str, object]:
    """The card of each promotion, and its pictures."""
    shown: dict[str, object] = {}
    for name, card in cards.items():
        shown[name] = dg.MetadataValue.md(format_uplift_card(card))
        if pictured and (drawn := draw_uplift(card)):
            shown[f"{name}_pictures"] = pictures(drawn, describe_uplift_pictures(card))
    return shown
