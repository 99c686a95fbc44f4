import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.encoding import fit_encoding
from ds_assets.core.group_defaults import MAX_USER_GROUPS
from ds_assets.core.user_groups import (
    largest_groups,
    shorten_group,
    with_user_groups,
)
from ds_assets.infra.results.schema import KEY_LENGTH
from ds_assets_tests.core.factories import make_features


def groups(by: str, **columns: object) -> list[object]:
    group_names = with_user_groups(pd.DataFrame(columns), by)["user_group"]
    assert group_names.dtype == "string"
    return [None if pd.isna(group) else group for group in group_names]


def test_a_cluster_is_a_group() -> None:
    clusters = pd.array([3, None, 12], dtype="Int64")
    assert groups("clusters", cluster=clusters) == ["cluster=3", None, "cluster=12"]


def test_without_clusters_there_are_no_groups() -> None:
    assert groups("clusters", cluster=pd.array([None, None], dtype="Int64")) == [None, None]


def test_no_groups_are_no_groups() -> None:
    assert groups("none", cluster=[1, 2], last_country=["KR", "US"]) == [None, None]


def test_a_value_of_an_attribute_is_a_group() -> None:
    assert groups("country", last_country=["KR", None, "US"], cluster=[1, 2, 3]) == [
        "country=KR",
        None,
        "country=US",
    ]


@pytest.mark.parametrize("dtype", ["str", object, "category", "string"])
def test_an_attribute_may_be_of_any_text_dtype(dtype: str) -> None:
    column = pd.Series(["KR", None], dtype=dtype)
    assert groups("country", last_country=column) == ["country=KR", None]


@given(st.lists(st.text(max_size=100) | st.none(), min_size=1, max_size=10))
def test_any_text_is_a_group_of_its_own(values: list[str | None]) -> None:
    group_names = groups("country", last_country=pd.Series(values, dtype=object))
    assert group_names == [None if value is None else f"country={value}" for value in values]


@given(st.lists(st.text(min_size=90, max_size=300), min_size=1, max_size=10, unique=True))
def test_groups_of_different_texts_differ_and_fit_into_a_key_of_the_results(
    values: list[str],
) -> None:
    names = groups("a" * 48, **{f"last_{'a' * 48}": pd.Series(values, dtype=object)})
    assert len({*names}) == len(values)
    assert max(len(str(name)) for name in names) <= KEY_LENGTH


def test_a_group_of_an_older_version_is_shortened_to_the_name_that_it_has_now() -> None:
    long = "X" * 300
    assert [shorten_group(f"country={long}")] == groups("country", last_country=[long])
    for name in ("country=KR", "cluster=3", "country=a=b", ""):
        assert shorten_group(name) == name


def test_the_largest_groups_are_those_of_most_users_and_then_the_first_by_name() -> None:
    names = [f"country=c{n:03d}" for n in range(5_000)]
    ranked = largest_groups([*names, "country=c400", "", "", ""])
    assert ranked == ["country=c400", *names[: MAX_USER_GROUPS - 1]]


def test_an_attribute_without_a_value_at_all_gives_no_groups() -> None:
    assert groups("country", last_country=[None, None]) == [None, None]


def test_a_frame_without_rows_has_the_column() -> None:
    features = make_features(3).assign(cluster=1)[:0]
    for by in ("none", "clusters", "country"):
        assert with_user_groups(features, by)["user_group"].empty


def test_the_group_is_no_feature_and_the_frame_stays_as_it_was() -> None:
    features = make_features(5)
    names = fit_encoding([with_user_groups(features, "country")]).names
    assert "user_group" not in names
    assert "user_group" not in features
