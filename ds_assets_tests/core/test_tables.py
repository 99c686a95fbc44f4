from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_tables import user_activity_table, user_features_table
from ds_assets.core.measures import ACTIVE_DAYS, stored_measures
from ds_assets.core.schema import Column, Table
from ds_assets.core.tables import (
    CLUSTER_PROFILES,
    CLUSTERS,
    MODEL_METRICS,
    PLAYER_PROMOTIONS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    PROMOTION_OUTCOMES,
    PROMOTION_RESULTS,
    PROMOTIONS,
    QUARANTINE,
)
from ds_assets.game import Attribute, Events, Game
from ds_assets.game_parts import IDENTIFIER
from ds_assets_tests.core.factories import make_game

# Few letters, so that names meet; the words of the tables' own columns among them.
WORDS = (
    "a",
    "events",
    "days",
    "last",
    "sum_a",
    "count_a",
    "a_7d",
    "event_date",
    "user_id",
    "x" * 48,
)
NAMES = st.sampled_from(WORDS)
GAMES = st.builds(
    make_game,
    events=st.lists(NAMES, unique=True).map(
        lambda names: Events(counted={name: (name,) for name in names})
    ),
    properties=st.dictionaries(NAMES, st.just("field")),
    attributes=st.dictionaries(
        NAMES,
        st.builds(Attribute, field=st.just("field"), type=st.sampled_from(("text", "number"))),
    ),
    windows=st.lists(st.integers(28, 3650), min_size=1, max_size=4, unique=True).map(sorted),
)
FIXED = (
    *(PREDICTIONS, CLUSTERS, CLUSTER_PROFILES, MODEL_METRICS, PREDICTION_OUTCOMES),
    *(PROMOTIONS, PLAYER_PROMOTIONS, PROMOTION_OUTCOMES, PROMOTION_RESULTS, QUARANTINE),
)


def tables(game: Game) -> list[Table]:
    return [*FIXED, user_activity_table(game), user_features_table(game)]


@given(game=GAMES)
def test_no_game_gives_a_table_two_columns_of_one_name(game: Game) -> None:
    for table in tables(game):
        assert len(set(table.names)) == len(table.names)


@given(game=GAMES)
def test_every_store_can_name_every_column(game: Game) -> None:
    for table in tables(game):
        assert all(name.isidentifier() and name == name.lower() for name in table.names)
        assert max(map(len, table.names)) <= 64
        assert IDENTIFIER.fullmatch(table.name)


@given(game=GAMES)
def test_a_row_can_be_identified_and_every_column_is_explained(game: Game) -> None:
    for table in tables(game):
        assert set(table.key) <= set(table.names)
        assert all(column.description.endswith(".") for column in table.columns)
    for table in (*FIXED[:-1], user_activity_table(game), user_features_table(game)):
        assert not any(column.nullable for column in table.columns if column.name in table.key)


@given(game=GAMES)
def test_every_column_but_the_user_is_a_declared_feature(game: Game) -> None:
    declared = [feature.name for feature in declare_features(game)]
    assert user_features_table(game).names == ["user_id", *declared]


@given(game=GAMES)
def test_each_measure_is_a_feature_of_each_window(game: Game) -> None:
    names = set(user_features_table(game).names)
    for measure in (ACTIVE_DAYS, *stored_measures(game)):
        assert {f"{measure.name}_{days}d" for days in game.windows} <= names
    pairs = list(pairwise(game.windows))
    assert all(short < long and f"trend_{short}d_{long}d" in names for short, long in pairs)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text", pa.string()),
        ("integer", pa.int64()),
        ("real", pa.float64()),
        ("date", pa.date32()),
        ("time", pa.timestamp("us")),
        ("boolean", pa.bool_()),
    ],
)
def test_parquet_stores_each_type_as_its_own(kind: str, expected: pa.DataType) -> None:
    table = Table("t", (Column("a", kind, "A."), Column("b", kind, "B.", nullable=True)), ("a",))  # type: ignore[arg-type]
    assert table.arrow_schema == pa.schema(
        [pa.field("a", expected, nullable=False), pa.field("b", expected, nullable=True)]
    )


def test_an_attribute_keeps_its_type_from_activity_to_features() -> None:
    game = make_game()
    for table in (user_activity_table(game), user_features_table(game)):
        types = {column.name: column.type for column in table.columns}
        assert (types["last_country"], types["last_level"]) == ("text", "real")


def test_what_can_be_missing_in_features_is_what_one_active_day_does_not_tell() -> None:
    game = make_game(windows=(7, 28))
    columns = user_features_table(game).columns
    recent = {column.name for column in columns if column.is_recent}
    assert {feature.name for feature in declare_features(game) if feature.is_of_lifetime} < recent
    assert {column.name for column in columns if column.nullable} == recent | {
        *("trend_7d_28d", "days_since_purchase", "typical_gap", "longest_gap"),
        *("recency_in_gaps", "last_country", "last_level"),
    }
