from ds_assets.core.promotions.condition_names import StoredValue, find_names
from ds_assets.game import Attribute, CustomTarget, Events, Horizons
from ds_assets_tests.core.factories import make_game


def test_there_are_columns_of_predictions_and_features_but_no_json() -> None:
    names = find_names(make_game())
    assert names["churn_probability"] == ("number", "predictions", "churn_probability", "")
    assert names["last_seen"].kind == "date"
    assert names["spend_28d"].table == "user_features"
    assert "churn_reasons" not in names


def test_an_attribute_has_its_own_name_beside_that_of_its_column() -> None:
    names = find_names(make_game())
    assert (
        names["country"] == names["last_country"] == ("text", "user_features", "last_country", "")
    )
    assert names["level"].kind == "number"


def test_an_attribute_with_the_name_of_a_column_is_written_with_its_column() -> None:
    names = find_names(make_game(attributes={"cluster": Attribute(field="guild")}))
    assert names["cluster"].table == "predictions"
    assert names["last_cluster"] == ("text", "user_features", "last_cluster", "")


def test_targets_of_the_game_have_names_of_their_own() -> None:
    game = make_game(
        fields={"user_id": "u", "event_time": "t", "event_type": "e", "amount": "a"},
        events=Events(purchases=("buy",)),
        targets={"away": CustomTarget(inactive=True, horizon=7)},
        horizons=Horizons(spend=(30,)),
    )
    names = find_names(game)
    table = "target_predictions"
    assert names["away_probability"] == StoredValue("number", table, "probability", "away")
    assert names["spend_30_expected_spend"] == ("number", table, "expected_spend", "spend_30")
    assert "away_expected_spend" not in names
