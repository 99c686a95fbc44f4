"""Assignments whose effect is as large as an effect can be, and differs between users."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ds_assets.assets import effect_models
from ds_assets.assets.effect_models import Cards
from ds_assets.core.game_settings import ACTIVITY
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.lineage import EFFECT_MODELS, lineage_of
from ds_assets.core.targets import PAYMENT, targets_of
from ds_assets.infra.labels import labels_of, outcomes_at_maturity
from ds_assets.infra.lake.provenance import Records, recorded
from ds_assets.infra.lake.tables import read_predictions, read_rows
from ds_assets_tests.assets.assignments import assign, with_promotion
from ds_assets_tests.assets.factories import Installation, day

FEATURE = "lifetime_active_gap"
ASSIGNED = (day(12), day(20))
VALUE = {"cost": 1.0, "worth": 10.0}


def with_effects(installation: Installation, **changes: Any) -> Installation:
    """A promotion with which those who play seldom pay, and nobody else does."""
    promoted = with_promotion(installation, value=VALUE, until=None, target=PAYMENT, **changes)
    ids = sorted(set(read_predictions(ASSIGNED[0], promoted.lake)["user_id"].to_pylist()))
    for number, of in enumerate(ASSIGNED):
        users = set(ids[number :: len(ASSIGNED)])
        arms = _find_arms(of, promoted)
        chosen = [arms[it] if it in users else "holdout" for it in _predicted(of, promoted)]
        assign(promoted, of, arm=chosen)
    return promoted


def _predicted(of: dt.date, installation: Installation) -> list[str]:
    ids: list[str] = read_predictions(of, installation.lake)["user_id"].to_pylist()
    return ids


def _find_arms(of: dt.date, installation: Installation) -> dict[str, str]:
    """Arm of each user, by what users did: treated if they play seldom and pay, or neither."""
    game, lake = installation.game, installation.lake
    target = targets_of(game)[PAYMENT]
    stored = list(Records(lineage_of(game), lake).usable_files(ACTIVITY))
    spend = outcomes_at_maturity(target, [of], stored, lake, installation.engine, game)[of]
    features: pd.DataFrame = read_rows(user_features_table(game), of, lake).to_pandas()
    pays, _ = labels_of(target, features["user_id"], spend)
    is_seldom = features[FEATURE].to_numpy() > features[FEATURE].median()
    arms = np.where(is_seldom == pays.to_numpy(), "treated", "control")
    return dict(zip(features["user_id"], arms, strict=True))


def train(installation: Installation, *days: dt.date) -> dict[dt.date, Cards]:
    """Train the effect models that days use."""
    game, lake = installation.game, installation.lake

    def record(of: dt.date) -> Any:
        return recorded(EFFECT_MODELS, [of], lineage_of(game), lake, "run")

    return effect_models.update(days, lake, installation.engine, game, record)


def need_few_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let models learn from a month of a few hundred users."""
    monkeypatch.setattr("ds_assets.core.promotions.uplift.arms.MIN_OUTCOMES", 5)
