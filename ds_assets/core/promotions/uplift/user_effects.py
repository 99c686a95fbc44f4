"""The effect that a promotion is expected to have on each user who qualifies on a day.

Scope: from effect models and features to the rows of `USER_EFFECTS`, and whether the policy of a
card applies.
"""

import datetime as dt
from collections.abc import Iterable

import pandas as pd

from ds_assets.core.encoding import CLUSTER, USER_GROUP, USER_ID
from ds_assets.core.feature_columns import FeatureColumn
from ds_assets.core.promotions.assignment import cost_of, version_of, worth_of
from ds_assets.core.promotions.uplift.card import UpliftCard
from ds_assets.core.promotions.uplift.policy import choose_by_profit
from ds_assets.core.promotions.uplift.scoring import (
    EffectModels,
    explain_effects,
    predict_user_effects,
)
from ds_assets.core.tables import USER_EFFECTS
from ds_assets.game import Game


def find_objection(card: UpliftCard, game: Game) -> str:
    """Why the models of a card say nothing of users now, in words; empty if they do."""
    promotion = game.promotions[card.promotion]
    if card.state != "ready":
        return f"there are no effect models yet: {'; '.join(card.reasons)}"
    if card.promotion_version != version_of(game, card.promotion):
        return f"its effect was learnt from users of version {card.promotion_version}"
    if (card.cost, card.worth) != (cost_of(promotion, game), worth_of(promotion, game)):
        return "its cost or worth has changed since its effect was learnt"
    return ""


def describe_policy(card: UpliftCard) -> str:
    """Who chooses the users, and why, in words."""
    decision = None if card.validation is None else card.validation.decision
    if decision is None:
        return "the rule chooses: nothing is earned that could be compared"
    return f"{'the policy' if card.uses_policy else 'the rule'} chooses: {decision.reason}"


def with_groups(features: pd.DataFrame, users: pd.DataFrame) -> pd.DataFrame:
    """Features with the cluster and the group that the predictions of the day have.

    Args:
        features: Features frame.
        users: The same users in the same order, with the columns `cluster` and `user_group`.
    """
    clusters, groups = users[CLUSTER].astype("Int64"), users[USER_GROUP]
    return features.assign(cluster=clusters.array, user_group=groups.to_numpy(object))


def describe_effects(
    as_of: dt.date,
    models: EffectModels,
    features: pd.DataFrame,
    declared: Iterable[FeatureColumn],
) -> pd.DataFrame:
    """Predict the effect on users who qualify.

    Args:
        as_of: The day of the features.
        models: The models of a promotion.
        features: What `with_groups` returned.
        declared: The game's features, for the words of the reasons.

    Returns:
        The columns of `USER_EFFECTS`.
    """
    card, effects = models.card, predict_user_effects(models, features)
    rows = pd.DataFrame(
        {
            "as_of": as_of,
            "user_id": features[USER_ID].to_numpy(object),
            "promotion": card.promotion,
            "model_version": card.version,
            "effect": effects.effects,
            "effect_low": effects.low,
            "effect_high": effects.high,
            "spend_effect": effects.spend,
            "spend_effect_low": effects.spend_low,
            "spend_effect_high": effects.spend_high,
            "profit": effects.profits,
            "treats": choose_by_profit(effects.profits) if card.uses_policy else None,
            "reasons": explain_effects(models, features, declared).to_pylist(),
        }
    )
    return rows[USER_EFFECTS.names]
