import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds_assets.assets import clusters
from ds_assets.assets.clusters import TABLE
from ds_assets.core.clusters.clustering import ClusterCard
from ds_assets.core.lineage import LONGEST_PAUSE, lineage_of
from ds_assets.game import Game
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import recorded
from ds_assets.infra.lake.tables import store_rows, table_file
from ds_assets_tests.assets.factories import LAST, finished
from ds_assets_tests.core.factories import FIRST_DAY, make_features, make_game


@pytest.mark.slow
def test_ids_go_on_after_a_long_time_with_too_few_users(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    days = [FIRST_DAY + dt.timedelta(days=number) for number in range(12)]
    for place, day in enumerate(days):
        users = make_features(200 if place in {0, 11} else 5)
        store_rows(pa.Table.from_pandas(users), "user_features", day, lake)
    cards = clusters.materialize_days(days, lake, game)
    assert [len(cards[day].clusters) for day in days] == [3, *[0] * 10, 3]
    assert [cluster.id for cluster in cards[days[-1]].clusters] == [4, 5, 6]


def store_users(days: Sequence[dt.date], lake: FolderLake) -> None:
    for day in days:
        store_rows(pa.Table.from_pandas(make_features(200)), "user_features", day, lake)


def ids_of(card: ClusterCard) -> list[int]:
    return [cluster.id for cluster in card.clusters]


def test_ids_are_never_given_to_others_after_a_pause_of_any_length(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    before, after = FIRST_DAY, FIRST_DAY + dt.timedelta(days=LONGEST_PAUSE + 1)
    store_users([before, after], lake)
    cards = clusters.materialize_days([before, after], lake, game)
    assert ids_of(cards[before]) == [1, 2, 3]
    assert ids_of(cards[after]) == [4, 5, 6]


def test_ids_are_never_given_to_others_when_older_days_are_filled_in(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    older, old, newest = (FIRST_DAY + dt.timedelta(days=number) for number in (0, 30, 60))
    store_users([older, old, newest], lake)
    stored_clusters = [
        clusters.materialize_days([day], lake, game)[day] for day in (newest, old, older)
    ]
    assert [ids_of(card) for card in stored_clusters] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.mark.parametrize("gap", [1, LONGEST_PAUSE])
def test_older_days_that_are_filled_in_one_by_one_continue_the_ids_of_the_day_after(
    gap: int, tmp_path: Path
) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    days = [FIRST_DAY + dt.timedelta(days=gap * number) for number in range(3)]
    store_users(days, lake)
    cards = [clusters.materialize_days([day], lake, game)[day] for day in reversed(days)]
    assert [ids_of(card) for card in cards] == [[1, 2, 3]] * 3


@pytest.mark.slow
def test_days_of_a_first_block_keep_their_ids_when_the_days_before_it_are_made(
    tmp_path: Path,
) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    days = [FIRST_DAY + dt.timedelta(days=number) for number in range(12)]
    older, block = days[:9], days[9:]
    store_users(days, lake)
    first = clusters.materialize_days(block, lake, game)
    before = clusters.materialize_days(older, lake, game)
    assert {tuple(ids_of(card)) for card in before.values()} == {(4, 5, 6)}
    again = clusters.materialize_days(block, lake, game)  # their features look back on older days
    assert again[block[0]].previous == before[older[-1]].version
    assert [ids_of(again[day]) for day in block] == [ids_of(first[day]) for day in block]


def test_days_made_again_in_any_order_end_as_they_were(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    days = [FIRST_DAY + dt.timedelta(days=number) for number in (0, 1, 30)]
    store_users(days, lake)
    first = clusters.materialize_days(days, lake, game)
    assert clusters.materialize_days(days[:1], lake, game) == {days[0]: first[days[0]]}
    assert clusters.materialize_days(days[1:], lake, game) == {day: first[day] for day in days[1:]}


@pytest.mark.parametrize("content", [b"", b"1", bytes(range(256))])
def test_ids_are_known_from_the_cards_when_the_file_of_the_next_one_is_damaged(
    content: bytes, tmp_path: Path
) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    older, newest = FIRST_DAY, FIRST_DAY + dt.timedelta(days=60)
    store_users([older, newest], lake)
    with recorded(TABLE, [newest], lineage_of(game), lake, "run"):
        clusters.materialize_days([newest], lake, game)
    lake.write("models/clusters/next_id", content)
    assert ids_of(clusters.materialize_days([older], lake, game)[older]) == [4, 5, 6]


def test_ids_that_an_older_version_assigned_are_known_from_its_cards(tmp_path: Path) -> None:
    lake, game = FolderLake(tmp_path), make_game(clusters={"min": 3, "max": 3})
    older, newest = FIRST_DAY, FIRST_DAY + dt.timedelta(days=60)
    store_users([older, newest], lake)
    clusters.materialize_days([newest], lake, game)
    lake.delete(["models/clusters/next_id"])
    assert ids_of(clusters.materialize_days([older], lake, game)[older]) == [4, 5, 6]


TYPES = make_features(5, seed=50)
"""Users who differ so much that no centre of one is ever near that of another."""
TYPE_NUMBERS = st.lists(st.integers(0, 4), min_size=3, max_size=3, unique=True)


def make_users(types: Sequence[int], seed: int) -> pd.DataFrame:
    """Twenty users of each type, whose ids begin with it, and who differ a little."""
    users = TYPES.iloc[[kind for kind in types for _ in range(20)]].reset_index(drop=True)
    numbers = users.select_dtypes("number")
    noise = np.random.default_rng(seed).normal(1, 0.01, numbers.shape)
    ids = [f"{kind} {number}" for kind in types for number in range(20)]
    return users.assign(**(numbers * noise), user_id=ids)


def make_clusters(
    day: dt.date, lake: FolderLake, game: Game, *, is_killed: bool
) -> dict[int, int] | None:
    """Make a day, or kill the run after the card is stored. Returns the type of each id."""
    name = "models/clusters/next_id"
    next_id = lake.read(name) if lake.exists(name) else b"1"
    with suppress(KeyboardInterrupt), recorded(TABLE, [day], lineage_of(game), lake, "run"):
        clusters.materialize_days([day], lake, game)
        if is_killed:
            lake.write(name, next_id)
            raise KeyboardInterrupt
    if is_killed:
        return None
    rows = pd.read_parquet(lake.local(table_file(TABLE, day)))
    pairs = set(zip(rows["cluster"], rows["user_id"].str[0].astype(int), strict=True))
    assert len(pairs) == rows["cluster"].nunique() == 3
    return dict(pairs)


@pytest.mark.slow
@settings(max_examples=10)
@given(
    runs=st.lists(
        st.tuples(st.sampled_from([0, 1, 2, 9, 10, 20]), TYPE_NUMBERS, st.booleans()),
        min_size=4,
        max_size=9,
    )
)
def test_an_id_always_means_the_same_users_in_whatever_order_days_are_made(
    runs: list[tuple[int, list[int], bool]],
) -> None:
    game = make_game(clusters={"min": 3, "max": 3})
    types_by_id: dict[int, int] = {}
    ids_by_day: dict[dt.date, dict[int, int]] = {}
    with TemporaryDirectory() as folder:
        lake = FolderLake(Path(folder))
        for place, (number, types, is_killed) in enumerate(runs):
            day = FIRST_DAY + dt.timedelta(days=number)
            users = pa.Table.from_pandas(make_users(types, seed=place))
            store_rows(users, "user_features", day, lake)
            types_of_day = make_clusters(day, lake, game, is_killed=is_killed)
            if types_of_day is None:
                ids_by_day.pop(day, None)  # nobody has seen them
                continue
            assert types_of_day | types_by_id == types_by_id | types_of_day
            types_by_id |= types_of_day
            ids = {kind: cluster for cluster, kind in types_of_day.items()}
            before = ids_by_day.get(day, {})
            assert all(ids[kind] == before[kind] for kind in before.keys() & ids)
            ids_by_day[day] = ids


@pytest.mark.slow
def test_the_ui_shows_shares_the_criterion_and_who_changed(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        installation.run(LAST, assets=("clusters",), instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("clusters"))
        assert event is not None
        assert event.asset_materialization is not None
        shown = event.asset_materialization.metadata
    assert 0 < float(str(shown["share_changed_in_a_day"].value)) < 0.5
    assert -1 < float(str(shown["silhouette"].value)) < 1
    assert "silhouette" in str(shown["criterion"].value)
    sizes = shown["sizes"]
    assert isinstance(sizes, dg.TableMetadataValue)
    shares = [float(str(record.data["share"])) for record in sizes.records]
    assert sum(shares) == pytest.approx(1.0)
