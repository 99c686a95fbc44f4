"""Models of the effect of promotions in the lake, for each day on which they were trained.

Scope: storing and reading them. What they say of users is in `core.promotions.uplift`.
"""

import datetime as dt

from ds_assets.core.lineage import effect_kind
from ds_assets.core.promotion_days import effects_learnt_on
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.release import TrainedUplift
from ds_assets.core.promotions.uplift.scoring import EffectModels, load_effect_models
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.models import read_model_file, store_model, stored_card


def store_effect_models(trained: TrainedUplift, lake: Lake) -> None:
    """Store the card and the models of a promotion; other files of the day go."""
    card = trained.card
    store_model(effect_kind(card.promotion), card.as_of, card, None, lake, trained.files)


def read_effect_cards(day: dt.date, lake: Lake, game: Game) -> dict[str, UpliftCard]:
    """The cards that are used on a day, by promotion; none where there is no card yet."""
    trained_on = effects_learnt_on(day)
    cards = {
        name: stored_card(effect_kind(name), trained_on, UpliftCard, lake)
        for name in game.promotions
    }
    return {name: card for name, card in cards.items() if card is not None}


def read_effect_models(card: UpliftCard, lake: Lake) -> EffectModels:
    """Load the models that a card describes.

    Raises:
        DamagedDayError: a file is missing, or is not the card's.
    """
    kind = effect_kind(card.promotion)
    files = {
        name: read_model_file(kind, card.as_of, name, sha256, lake)
        for name, sha256 in card.parts.items()
    }
    return load_effect_models(files, card)
