import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from ds_assets.core.promotions.uplift.release import TrainedUplift, train_uplift
from ds_assets.core.promotions.uplift.scoring import (
    EffectModels,
    explain_effects,
    load_effect_models,
    predict_user_effects,
)
from ds_assets.core.promotions.uplift.training import Value, fit_uplift
from ds_assets.errors import InputError
from ds_assets_tests.core.promotions.uplift.factories import (
    FEATURES,
    as_promotion,
    features_of,
    make_trial,
    true_effects,
)

DAY, VALUE = dt.date(2026, 5, 1), Value(cost=0.5)
LATER = make_trial(rows=500, seed=7)


@pytest.fixture(scope="module")
def trained() -> TrainedUplift:
    return train_uplift(as_promotion(make_trial(rows=2_500)), DAY, VALUE)


@pytest.fixture(scope="module")
def models(trained: TrainedUplift) -> EffectModels:
    return load_effect_models(trained.files, trained.card)


def test_stored_models_predict_what_the_trained_ones_do(models: EffectModels) -> None:
    scored = predict_user_effects(models, features_of(LATER))
    fitted = fit_uplift(as_promotion(make_trial(rows=2_500)).trial, seed=0)
    assert fitted is not None
    assert scored.effects == pytest.approx(fitted.wanted.effects(LATER), abs=1e-4)
    assert scored.profits == pytest.approx(fitted.profits(LATER, VALUE), abs=1e-2)


def test_each_user_has_an_effect_on_target_and_spend_within_its_interval(
    models: EffectModels,
) -> None:
    scored = predict_user_effects(models, features_of(LATER))
    assert np.corrcoef(scored.effects, true_effects(LATER))[0, 1] > 0.9
    assert ((scored.low < scored.effects) & (scored.effects < scored.high)).all()
    assert scored.spend is not None
    assert scored.spend_low is not None
    assert (scored.spend_low < scored.spend).all()
    assert scored.profits == pytest.approx(scored.spend - VALUE.cost)


def test_the_reason_of_an_effect_is_what_treated_and_control_users_differ_by(
    models: EffectModels,
) -> None:
    reasons = explain_effects(models, features_of(LATER), ()).to_pylist()
    first = [json.loads(text)[0] for text in reasons]
    assert len(first) == len(LATER)
    assert np.mean([FEATURES[0] in it["code"] for it in first]) > 0.9
    signs = np.sign([it["effect"] for it in first])
    assert np.mean(signs == np.sign(LATER.matrix[:, 0])) > 0.9


def test_no_users_have_no_effects(models: EffectModels) -> None:
    nobody = features_of(LATER)[:0]
    assert len(predict_user_effects(models, nobody).effects) == 0
    assert len(explain_effects(models, nobody, ())) == 0


def test_a_damaged_or_missing_file_is_refused(trained: TrainedUplift) -> None:
    with pytest.raises(InputError, match="damaged or another model's"):
        load_effect_models(trained.files | {"control.onnx": b"else"}, trained.card)
    files = {name: file for name, file in trained.files.items() if name != "amounts.onnx"}
    with pytest.raises(InputError, match=r"amounts\.onnx of model \w+ is missing"):
        load_effect_models(files, trained.card)


def test_a_card_without_a_model_says_why_there_is_none() -> None:
    trained = train_uplift(as_promotion(make_trial(rows=100), days=1), DAY, VALUE)
    with pytest.raises(InputError, match=r"there is no model \w+: matured assignments of 1 day"):
        load_effect_models(trained.files, trained.card)


def test_features_that_are_missing_are_named(models: EffectModels) -> None:
    with pytest.raises(InputError, match="tenure_days: missing"):
        predict_user_effects(models, pd.DataFrame({FEATURES[0]: [1.0], FEATURES[2]: [1.0]}))
