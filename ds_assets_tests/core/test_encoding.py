import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ds_assets.core.encoding import (
    Encoding,
    encode,
    fit_encoding,
    mismatches,
    predict_others,
)
from ds_assets.errors import InputError
from ds_assets_tests.core.factories import make_features


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"user_id": [f"u{n}" for n in range(_length(columns))], **columns})


def _length(columns: dict[str, object]) -> int:
    return len(next(iter(columns.values())))  # type: ignore[arg-type]


def encoded(fitted_on: pd.DataFrame, *, then: pd.DataFrame) -> list[float]:
    return [float(value) for value in encode(then, fit_encoding([fitted_on])).ravel()]


def test_every_column_but_the_user_is_a_feature_in_the_order_of_the_frame() -> None:
    features = make_features(20)
    features["cluster"] = 3
    encoding = fit_encoding([features])
    assert encoding.names == [name for name in features.columns if name != "user_id"]
    assert {feature.type for feature in encoding.features if feature.name == "last_country"} == {
        "text"
    }
    assert {feature.type for feature in encoding.features if feature.name == "cluster"} == {"id"}
    assert encode(features, encoding).shape == (20, len(encoding.features))
    names = [encoding.names[place] for place in encoding.categorical]
    assert names == ["last_country", "cluster"]


def test_categories_are_ranked_by_how_often_training_rows_have_them_and_then_by_name() -> None:
    first = frame(last_country=["US", "KR", "DE", None])
    second = frame(last_country=["KR", "AT"])
    encoding = fit_encoding([first, second])
    assert encoding.features[0].categories == ("KR", "AT", "DE", "US")


def test_a_category_that_training_rows_lack_is_other_and_not_missing() -> None:
    codes = encoded(
        frame(last_country=["KR", "KR", "US"]), then=frame(last_country=["US", "XX", None, "KR"])
    )
    np.testing.assert_equal(codes, [1.0, 2.0, np.nan, 0.0])


def test_a_text_that_no_training_row_has_is_missing_whatever_it_says() -> None:
    assert np.isnan(encoded(frame(last_country=[None, None]), then=frame(last_country=["KR"])))


def test_a_card_of_a_version_without_other_categories_keeps_its_meaning() -> None:
    stored = '{"features":[{"name":"last_country","type":"text","categories":["KR","US"]}]}'
    encoding = Encoding.model_validate_json(stored)
    codes = encode(frame(last_country=["US", "XX", None]), encoding)[:, 0]
    np.testing.assert_equal(codes, [1.0, np.nan, np.nan])


def test_categories_beyond_the_fifty_most_frequent_share_a_code_in_training_and_after() -> None:
    common = [f"c{n:02d}" for n in range(50)] * 2
    encoding = fit_encoding([frame(last_country=[*common, "rare", "rarer"])])
    assert len(encoding.features[0].categories) == 50
    codes = encode(frame(last_country=["rare", "rarer", "new", None]), encoding)[:, 0]
    np.testing.assert_equal(codes, [50.0, 50.0, 50.0, np.nan])


def test_a_category_never_seen_is_predicted_as_the_mean_of_those_of_training_rows() -> None:
    encoding = fit_encoding([frame(last_country=["KR"] * 70 + ["US"] * 30)])
    matrix = encode(frame(last_country=["KR", "US", "XX"]), encoding)
    by_country = predict_others(matrix, encoding, lambda rows: 10.0 * rows[:, 0])
    np.testing.assert_allclose(by_country, [0.0, 10.0, 3.0])


def test_two_categories_never_seen_leave_a_user_to_all_other_features() -> None:
    train = frame(last_country=["KR", "US"], last_channel=["ad", "store"], x=[1.0, 2.0])
    encoding = fit_encoding([train])
    users = frame(last_country=["XX", "XX"], last_channel=["tv", None], x=[5.0, 6.0])
    predicted = predict_others(
        encode(users, encoding), encoding, lambda rows: np.nansum(rows, axis=1)
    )
    np.testing.assert_allclose(predicted, [0.5 + 0.5 + 5.0, 0.5 + 6.0])


def test_categories_beyond_the_kept_ones_are_predicted_as_training_rows_with_them_were() -> None:
    names = [f"c{n:02d}" for n in range(50)] * 2
    encoding = fit_encoding([frame(last_country=[*names, "rare"])])
    matrix = encode(frame(last_country=["rare", "new"]), encoding)
    np.testing.assert_array_equal(
        predict_others(matrix, encoding, lambda rows: rows[:, 0]), [50, 50]
    )


@given(
    st.lists(st.sampled_from(["KR", "US", "DE", None]), min_size=1, max_size=30),
    st.lists(st.sampled_from(["KR", "US", "XX", "YY", None]), min_size=1, max_size=10),
)
def test_it_does_not_matter_which_category_was_never_seen(
    train: list[str | None], then: list[str | None]
) -> None:
    def predict(texts: list[str | None]) -> NDArray[np.float64]:
        column = pd.Series(texts, dtype="str")
        matrix = encode(frame(last_country=column), encoding)
        return predict_others(matrix, encoding, lambda rows: np.nan_to_num(rows[:, 0], nan=-9.0))

    encoding = fit_encoding([frame(last_country=pd.Series(train, dtype="str"))])
    renamed = [f"new {text}" if text and text not in train else text for text in then]
    np.testing.assert_array_equal(predict(then), predict(renamed))


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64"])
def test_a_cluster_is_a_name_whatever_dtype_a_join_left_it_in(dtype: str) -> None:
    train = frame(cluster=pd.Series([7, 7, 4], dtype="int64"))
    columns = encoded(train, then=frame(cluster=pd.Series([4, 7, 99], dtype=dtype)))
    np.testing.assert_equal(columns, [1.0, 0.0, 2.0])


def test_users_without_a_cluster_have_a_missing_value() -> None:
    train = frame(cluster=pd.Series([7, None, 4], dtype="Int64"))
    np.testing.assert_equal(encoded(train, then=train), [1.0, np.nan, 0.0])


def test_infinite_values_are_missing_and_enormous_ones_clipped() -> None:
    columns = encoded(frame(x=[1.0]), then=frame(x=[np.inf, -np.inf, np.nan, 1e300, -1e300]))
    assert np.isnan(columns[:3]).all()
    assert columns[3] == -columns[4]
    assert 3.4e38 < columns[3] < np.inf


@given(st.lists(st.floats(), min_size=1, max_size=30))
def test_any_number_becomes_a_finite_float32_or_missing(values: list[float]) -> None:
    matrix = encode(frame(x=values), fit_encoding([frame(x=values)]))
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(matrix[:, 0]), ~np.isfinite(values))
    assert not np.isinf(matrix).any()


finite = st.floats(width=32, allow_nan=False, allow_infinity=False, max_value=2.0**127)


@given(finite, st.integers(1, 9))
def test_a_threshold_between_two_values_survives_rounding_to_float32(
    value: float, steps: int
) -> None:
    above = np.float32(value)
    for _ in range(steps):
        above = np.nextafter(above, np.float32(np.inf))
    low, high = encoded(frame(x=[0.0]), then=frame(x=[value, float(above)]))
    middle = np.float32((low + high) / 2)
    assert low == high or low <= middle < high


def test_zero_has_one_spelling() -> None:
    assert not np.signbit(encoded(frame(x=[1.0]), then=frame(x=[-0.0])))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 0], dtype="Int64"),
        pd.Series([True, False]),
        pd.Series([True, False], dtype="boolean"),
        pd.Series([1, 0.0], dtype=object),
        pd.Series([1.0, 0.0], dtype="float32"),
    ],
)
def test_numbers_are_read_from_any_numeric_dtype(column: pd.Series) -> None:
    assert encoded(frame(x=[0.5]), then=frame(x=column)) == [1.0, 0.0]


def test_text_is_read_from_any_text_dtype() -> None:
    train = frame(last_country=["KR", "KR", "US"])
    for dtype in ("str", object, "category", "string"):
        columns = frame(last_country=pd.Series(["US", "KR"], dtype=dtype))
        assert encoded(train, then=columns) == [1.0, 0.0]


@pytest.mark.parametrize("nothing", [[None, None], [np.nan, np.nan], [pd.NA, pd.NA]])
def test_a_column_without_a_value_fits_every_type(nothing: list[object]) -> None:
    train = frame(x=[1.0], last_country=["KR"], cluster=[1])
    columns = encoded(train, then=frame(x=nothing, last_country=nothing, cluster=nothing))
    assert np.isnan(columns).all()


def test_a_column_that_never_had_a_value_is_learnt_as_missing() -> None:
    train = frame(x=[np.nan, np.nan], last_country=pd.Series([None, None], dtype="str"))
    encoding = fit_encoding([train])
    assert [feature.type for feature in encoding.features] == ["number", "text"]
    assert np.isnan(encode(train, encoding)).all()


def test_a_frame_without_rows_encodes_to_a_matrix_without_rows() -> None:
    features = make_features(10)
    assert encode(features[:0], fit_encoding([features])).shape == (0, features.shape[1] - 1)


def test_order_of_columns_and_columns_that_are_no_features_do_not_matter() -> None:
    train = make_features(30)
    encoding = fit_encoding([train])
    turned = train[train.columns[::-1]].assign(note="x")
    np.testing.assert_array_equal(encode(turned, encoding), encode(train, encoding))


def test_encoding_leaves_the_frame_as_it_was() -> None:
    train = make_features(30)
    before = train.copy(deep=True)
    encode(train, fit_encoding([train]))
    pd.testing.assert_frame_equal(train, before)


def test_one_message_lists_every_feature_that_does_not_fit() -> None:
    encoding = fit_encoding([frame(a=[1.0], b=[2.0], last_country=["KR"], cluster=[1], c=[1.0])])
    wrong = frame(b=["two"], last_country=[3.0], cluster=[1.5], c=[1.0])
    with pytest.raises(InputError, match="do not fit in 4 of their columns") as caught:
        encode(wrong, encoding)
    for part in (
        "a: missing; numbers are needed",
        "b: found text; numbers are needed",
        "last_country: found numbers; text are needed",
        "cluster: found fractions; whole numbers are needed",
    ):
        assert part in str(caught.value)
    assert len(mismatches(wrong, encoding)) == 4


def test_training_frames_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="b: missing"):
        fit_encoding([frame(a=[1.0], b=[1.0]), frame(a=[1.0])])


def test_a_date_is_not_a_feature() -> None:
    with pytest.raises(InputError, match="snapshot: found date"):
        fit_encoding([frame(snapshot=[dt.date(2024, 1, 1)])])
    with pytest.raises(InputError, match="snapshot: found datetime64"):
        fit_encoding([frame(snapshot=[pd.Timestamp("2024-01-01")])])


def test_an_encoding_survives_json() -> None:
    encoding = fit_encoding([make_features(30)])
    assert Encoding.model_validate_json(encoding.model_dump_json()) == encoding


def test_encodings_are_equal_whatever_has_been_worked_out_of_them() -> None:
    used, other = (fit_encoding([pd.DataFrame({"last_country": ["KR", "US"]})]) for _ in range(2))
    for encoding in (used, other):
        assert len(encoding.other_codes) == 1
    assert used == other
    assert hash(used) == hash(other)
    assert used != fit_encoding([pd.DataFrame({"last_country": ["KR", "DE"]})])
