import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.encoding import encode, fit_encoding
from ds_assets.core.models.evaluation.drift import (
    DAYS_KEPT,
    DRIFTED,
    Distribution,
    continue_drifts,
    distributions,
    stability,
)
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import make_features


def drift(then: pd.DataFrame, now: pd.DataFrame) -> dict[str, float]:
    encoding = fit_encoding([then])
    return stability(distributions(encode(then, encoding), encoding, {}), now, encoding)


def column(*values: object) -> pd.DataFrame:
    return pd.DataFrame({"user_id": [f"u{n}" for n in range(len(values))], "x": list(values)})


def test_the_same_rows_have_not_drifted() -> None:
    features = make_features(500)
    drifts = drift(features, features.sample(frac=1, random_state=0))
    assert set(drifts) == set(features.columns) - {"user_id"}
    assert set(drifts.values()) == {0.0}


def test_other_users_of_the_same_kind_have_hardly_drifted() -> None:
    drifts = drift(make_features(5_000), make_features(5_000, seed=1))
    assert max(drifts.values()) < 0.02


def test_a_shifted_feature_comes_first_and_the_others_stay_where_they_were() -> None:
    features = make_features(2_000)
    shifted = features.assign(tenure_days=features["tenure_days"] * 3 + 50)
    drifts = drift(features, shifted)
    name, largest = next(iter(drifts.items()))
    assert name == "tenure_days"
    assert largest > DRIFTED
    assert sum(drifts.values()) == largest


def test_features_come_in_the_order_of_their_drift_and_then_of_their_names() -> None:
    features = make_features(300)
    drifts = list(drift(features, make_features(300, seed=3).assign(events_7d=0.0)).items())
    assert drifts == sorted(drifts, key=lambda item: (-item[1], item[0]))


def test_the_index_is_that_of_its_plain_definition() -> None:
    then = column(*range(1_000))
    now = column(*([5] * 300), *range(300, 1_000))
    # tenths hold 0.1 each; the first has 0.3, and the next two have none
    empty = 1e-4
    expected = (0.3 - 0.1) * np.log(0.3 / 0.1) + 2 * (empty - 0.1) * np.log(empty / 0.1)
    assert drift(then, now)["x"] == pytest.approx(expected, rel=0.01)


def test_values_that_go_missing_are_drift() -> None:
    then = column(*range(100))
    assert drift(then, column(*range(0, 100, 2), *[None] * 50))["x"] > DRIFTED
    assert drift(column(*range(50), *[None] * 50), then)["x"] > DRIFTED


def test_a_feature_that_was_always_missing_drifts_once_it_has_values() -> None:
    empty = column(*[np.nan] * 20)
    assert drift(empty, empty) == {"x": 0.0}
    assert drift(empty, column(*range(20)))["x"] > DRIFTED
    assert drift(column(*range(20)), empty)["x"] > DRIFTED


def test_a_constant_feature_drifts_once_it_differs() -> None:
    constant = column(*[4.0] * 20)
    assert drift(constant, constant) == {"x": 0.0}
    assert drift(constant, column(*[5.0] * 20))["x"] > DRIFTED
    assert drift(column(*range(20)), constant)["x"] > DRIFTED


def test_a_text_drifts_with_the_shares_of_its_values() -> None:
    then = column(*["KR"] * 50, *["US"] * 50).rename(columns={"x": "last_country"})
    now = column(*["KR"] * 95, *["US"] * 5).rename(columns={"x": "last_country"})
    never_seen = column(*["XX"] * 100).rename(columns={"x": "last_country"})
    assert drift(then, now)["last_country"] > DRIFTED
    assert drift(then, never_seen)["last_country"] > DRIFTED


def test_one_training_row_and_one_row_of_today_are_enough() -> None:
    assert drift(column(1.0), column(1.0)) == {"x": 0.0}
    assert np.isfinite(drift(column(1.0), column(2.0))["x"])


def test_without_rows_nothing_has_drifted() -> None:
    features = make_features(20)
    assert drift(features, features[:0]) == {}


def test_features_that_do_not_fit_are_named_even_without_rows() -> None:
    features = make_features(20)
    with pytest.raises(InputError, match="spend_7d"):
        drift(features, features.drop(columns="spend_7d")[:0])


values = st.lists(st.floats() | st.none(), min_size=1, max_size=30)


@given(values, values)
def test_no_values_make_the_distance_infinite_or_negative(
    then: list[float | None], now: list[float | None]
) -> None:
    earlier, later = (
        column(*values_of_column).astype({"x": "float64"}) for values_of_column in (then, now)
    )
    distance = drift(earlier, later)["x"]
    assert np.isfinite(distance)
    assert distance >= 0
    assert drift(earlier, earlier) == {"x": 0.0}


@given(values)
def test_shares_add_up_and_survive_json(then: list[float | None]) -> None:
    frame = column(*then).astype({"x": "float64"})
    encoding = fit_encoding([frame])
    shares = distributions(encode(frame, encoding), encoding, {})["x"]
    assert sum(shares.shares) == pytest.approx(1.0)
    assert len(shares.shares) == len(shares.edges) + 2
    assert list(shares.edges) == sorted(set(shares.edges))
    assert Distribution.model_validate_json(shares.model_dump_json()) == shares
    assert json.loads(shares.model_dump_json())["shares"] == list(shares.shares)


def test_bins_hold_about_as_many_rows_each() -> None:
    frame = column(*np.random.default_rng(0).exponential(size=10_000))
    encoding = fit_encoding([frame])
    shares = distributions(encode(frame, encoding), encoding, {})["x"].shares
    assert len(shares) == 11
    np.testing.assert_allclose(shares[:-1], 0.1, atol=0.001)
    assert shares[-1] == 0


def test_rows_whose_window_is_filling_are_not_compared() -> None:
    then, now = column(*[1.0] * 50, *range(50)), column(*range(50))
    encoding = fit_encoding([then])
    complete = {"x": np.arange(100) >= 50}
    of_complete = distributions(encode(then, encoding), encoding, complete)
    assert stability(of_complete, now, encoding)["x"] == pytest.approx(0.0)
    assert drift(then, now)["x"] > DRIFTED


def test_a_feature_whose_window_was_never_complete_has_no_drift() -> None:
    frame = column(*range(20))
    encoding = fit_encoding([frame])
    compared = distributions(encode(frame, encoding), encoding, {"x": np.zeros(20, dtype=bool)})
    assert compared == {}
    assert stability(compared, frame, encoding) == {}


def test_a_card_keeps_what_drifted_most_on_the_latest_days() -> None:
    days = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(DAYS_KEPT + 3)]
    drifts: dict[dt.date, dict[str, float]] = {}
    for number, day in enumerate(days):
        drifts = continue_drifts(drifts, day, {f"f{n}": 1.0 / (n + 1) for n in range(number)})
    assert list(drifts) == days[-DAYS_KEPT:]
    assert list(drifts[days[-1]]) == ["f0", "f1", "f2", "f3", "f4"]


def test_a_day_that_is_made_again_replaces_its_drift() -> None:
    day = dt.date(2024, 1, 1)
    assert continue_drifts({day: {"a": 1.0}}, day, {"b": 0.5}) == {day: {"b": 0.5}}
