"""Effects on the users of a day, and who is assigned because of them."""

import json
from pathlib import Path

import pandas as pd
import pytest

from ds_assets.assets import promotions, user_effects
from ds_assets.assets.user_effects import DayEffects
from ds_assets.core.game_tables import user_features_table
from ds_assets.core.lineage import effect_kind
from ds_assets.core.promotions.uplift.card import TREATED
from ds_assets.core.stored_documents import DamagedDayError
from ds_assets.core.tables import PROMOTIONS, USER_EFFECTS
from ds_assets.infra.assignment_files import AssignmentFiles
from ds_assets.infra.lake.tables import read_predictions, read_rows
from ds_assets_tests.assets.assignments import HOLDOUT
from ds_assets_tests.assets.effects import FEATURE, VALUE, need_few_users, train, with_effects
from ds_assets_tests.assets.factories import LAST, Installation, change_game, finished

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    need_few_users(monkeypatch)
    promoted = with_effects(finished().copy(tmp_path), explore=0.3)
    train(promoted, LAST)
    return promoted


def predict(installation: Installation) -> DayEffects:
    game = installation.game
    return user_effects.update([LAST], installation.lake, installation.engine, game)[LAST]


def assign(installation: Installation) -> pd.DataFrame:
    files = AssignmentFiles(installation.home)
    lake, game = installation.lake, installation.game
    promotions.update([LAST], lake, installation.engine, files, game)
    rows: pd.DataFrame = read_rows(PROMOTIONS, LAST, lake).to_pandas()
    return rows


def change_promotion(installation: Installation, **changes: object) -> Installation:
    rule = {
        "who": "churn_probability > 0",
        "control": 0.5,
        "value": VALUE,
        "target": "payment",
    } | changes
    change_game(installation, {"promotions": {"bundle": rule}, "holdout": HOLDOUT})
    return Installation(installation.home)


def test_every_user_who_qualifies_has_an_effect_with_its_interval_and_reasons(
    trained: Installation,
) -> None:
    rows = predict(trained).rows
    predicted = read_predictions(LAST, trained.lake).to_pandas()
    qualified = predicted[predicted["churn_probability"] > 0]["user_id"]
    assert set(rows["user_id"]) == set(qualified)
    assert (rows["effect_low"] <= rows["effect"]).all()
    assert (rows["effect"] <= rows["effect_high"]).all()
    assert rows["profit"].tolist() == pytest.approx((10 * rows["effect"] - 1).tolist())
    assert (rows["treats"] == (rows["profit"] > 0)).all()
    assert all(json.loads(reasons)[0]["effect"] for reasons in rows["reasons"])
    stored = read_rows(USER_EFFECTS, LAST, trained.lake).to_pandas()
    assert stored["effect"].tolist() == rows["effect"].tolist()


def test_the_effect_is_largest_on_the_users_whom_the_offer_lets_pay(trained: Installation) -> None:
    rows = predict(trained).rows
    features = read_rows(user_features_table(trained.game), LAST, trained.lake).to_pandas()
    both = rows.merge(features, on="user_id")
    assert both["effect"].corr(both[FEATURE]) > 0.6


def test_the_policy_assigns_users_on_whom_the_offer_is_worth_its_cost_and_explores_others(
    trained: Installation,
) -> None:
    effects = predict(trained).rows.set_index("user_id")
    rows = assign(trained).set_index("user_id")
    treats = effects["treats"].reindex(rows.index).astype(bool)
    assert set(rows["chosen_by"][treats]) == {"policy"}
    assert set(rows["chosen_by"][~treats]) == {"exploration"}
    left_out = effects[~effects["treats"].astype(bool)].index.difference(rows.index)
    assert 0 < len(left_out) < len(effects)
    assert set(rows["arm"][treats]) == {"treated", "control", "holdout"}
    assert rows["weight"][~treats].tolist() == pytest.approx([1 / 0.3] * int((~treats).sum()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": {"cost": 2.0, "worth": 10.0}}, "its cost or worth has changed"),
        ({"control": 0.4}, "its effect was learnt from users of version"),
    ],
)
def test_a_promotion_that_was_changed_is_assigned_by_its_rule_until_new_models_are_learnt(
    trained: Installation, changes: dict[str, object], words: str
) -> None:
    changed = change_promotion(trained, **changes)
    effects = predict(changed)
    assert words in effects.words["bundle"]
    assert effects.rows.empty
    assert set(assign(changed)["chosen_by"]) == {"rule"}


def test_a_damaged_model_is_named_with_its_asset(trained: Installation) -> None:
    lake = trained.lake
    lake.write(f"models/{effect_kind('bundle')}/dt={LAST}/{TREATED}", b"else")
    with pytest.raises(DamagedDayError, match=r"treated\.onnx is damaged") as raised:
        predict(trained)
    assert (raised.value.asset, raised.value.day) == ("effect_models", LAST)
