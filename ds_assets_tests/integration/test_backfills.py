"""Days run at once, one by one, as ranges, and again: the stored state ends the same."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from pyarrow import parquet

from ds_assets.assets import target_model, user_activity, user_features
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.errors import InputError
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.missing_days import WHAT_TO_DO
from ds_assets_tests.assets.factories import (
    LAST,
    START,
    Installation,
    day,
    finished,
    make_installation,
    make_played,
)
from ds_assets_tests.infra.factories import get_rows, put

pytestmark = pytest.mark.slow

DAYS = [day(number) for number in range(32)]
NEW = 3
"""Days at the end that are run one by one; starting the graph takes longer than a day's data."""


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return finished().copy(tmp_path)


@pytest.fixture(scope="module")
def without_newest(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The same game run only up to a few days before its end, in three ranges."""
    home = tmp_path_factory.mktemp("ranges") / "home"
    installation, _ = make_played(home, users=300, days=32, seed=5)
    for first, last in ((0, 9), (10, 10), (11, 31 - NEW)):
        installation.run(day(first), day(last))
    return installation


def test_every_day_of_a_range_is_delivered_and_the_newest_is_current() -> None:
    installation = finished()
    assert sorted(installation.delivered()) == DAYS
    with installation.results() as database:
        assert database.current_day() == LAST
        users = database.day(LAST)["user_id"].to_pylist()
    assert {row["as_of"] for row in installation.current(users).values()} == {LAST}
    assert len(installation.current(users)) == len(users) > 100


def test_the_first_days_say_in_words_what_they_lack_and_the_last_have_models() -> None:
    installation = finished()
    for kind in ("churn", "payment"):
        cards = [stored_card(kind, as_of, ModelCard, installation.lake) for as_of in DAYS]
        states = [card.state for card in cards if card is not None]
        ready = states.index("ready")
        assert len(states) == len(DAYS)
        assert ready > 10
        assert set(states[-NEW:]) == {"ready"}
        first = cards[0]
        assert first is not None
        trained, early = first.reasons
        assert trained.startswith("0 matured snapshots; the first model needs two")
        assert early == "1 of the 7 days of logs that an early prediction needs"
    first_day, late = (installation.predictions(as_of) for as_of in (START, LAST))
    assert first_day["churn_probability"].null_count == first_day.num_rows > 50
    assert late["churn_probability"].null_count == late["payment_probability"].null_count == 0


def test_ranges_and_then_days_one_by_one_in_order_give_what_one_run_over_all_gives(
    without_newest: Installation, tmp_path: Path
) -> None:
    # in order: the model of each day challenges that of the day before
    installation = without_newest.copy(tmp_path)
    expected = finished().delivered()
    assert installation.delivered() == {as_of: expected[as_of] for as_of in DAYS[:-NEW]}
    for as_of in DAYS[-NEW:]:
        installation.run(as_of)
    assert installation.delivered() == expected


def test_days_run_in_any_order_and_once_more_in_order_give_what_one_run_over_all_gives(
    without_newest: Installation, tmp_path: Path
) -> None:
    installation = without_newest.copy(tmp_path)
    with pytest.raises(InputError, match="so that users would look gone"):
        installation.run(LAST)
    installation.run(day(30))  # with a champion of days before those that are still missing
    installation.run(day(32 - NEW), LAST)
    assert installation.delivered() == finished().delivered()


def test_every_file_of_a_models_day_is_the_same_after_another_run(copy: Installation) -> None:
    folders = [f"models/{kind}/dt={LAST}" for kind in ("churn", "payment", "clusters")]
    names = [item.name for folder in folders for item in copy.lake.objects(folder)]
    before = {name: copy.lake.read(name) for name in names}
    for _ in range(3):  # threads come by in another order each time
        copy.run(LAST, assets=["clusters", "churn_model", "payment_model"])
        assert {name: copy.lake.read(name) for name in names} == before


def test_days_that_do_not_fit_into_one_batch_give_the_same(
    copy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_activity, "BATCH_BYTES", 1)
    monkeypatch.setattr(user_features, "BATCH_BYTES", 1)
    monkeypatch.setattr(target_model, "BATCH_BYTES", 1)
    (copy.home / "results.sqlite").unlink()
    copy.run(day(29), LAST)
    expected = finished().delivered()
    assert copy.delivered() == {as_of: expected[as_of] for as_of in (day(29), day(30), LAST)}


def test_an_old_day_that_is_run_again_changes_nothing_that_is_newer(copy: Installation) -> None:
    before = copy.delivered()
    users = copy.predictions(LAST)["user_id"].to_pylist()
    current = copy.current(users)
    with copy.cache() as cache:
        cache.ping()
        cache._client.flushdb()
        put(cache, LAST, copy.predictions(LAST))
        cached = get_rows(cache, users)
        for old in (day(3), day(25)):
            copy.run(old)
        assert get_rows(cache, users) == cached
    assert copy.current(users) == current
    assert copy.delivered() == before


def test_a_run_whose_cache_is_empty_ends_with_the_newest_day_in_the_cache(
    copy: Installation,
) -> None:
    with copy.cache() as cache:
        cache.ping()
        cache._client.flushdb()
        copy.run(day(29), LAST, ["prediction_cache"])
        rows = copy.predictions(LAST)
        assert get_rows(cache, rows["user_id"].to_pylist()) == rows.to_pylist()


def test_a_run_leaves_nothing_in_staging_and_no_unknown_folder() -> None:
    entries = {path.name for path in finished().settings.lake.iterdir()}
    tables = {"raw", "user_activity", "event_ids", "quarantine", "clusters"}
    of_users = {"user_lifetimes", "user_features"}
    reports = {"cohorts", "cluster_profiles", "prediction_outcomes"}
    others = {"predictions", "models", "provenance"}
    assert entries == tables | of_users | reports | others | {"_staging", "installation.json"}
    assert finished().lake.objects("_staging") == []


def test_a_day_without_logs_fails_and_later_days_run(tmp_path: Path) -> None:
    missing = day(1)
    installation, _ = make_played(tmp_path, users=60, days=3, seed=5, missing_days=(missing,))
    installation.run(START)
    with dg.DagsterInstance.ephemeral() as instance:
        result = installation.defs.resolve_job_def("collect_logs").execute_in_process(
            partition_key=str(missing), instance=instance, raise_on_error=False
        )
    assert not result.success
    installation.run(day(2))
    assert sorted(installation.delivered()) == [START, day(2)]


def test_a_range_with_a_missing_day_leaves_it_out_says_so_and_delivers_the_others(
    tmp_path: Path,
) -> None:
    missing = day(1)
    installation, _ = make_played(tmp_path, users=60, days=3, seed=5, missing_days=(missing,))
    messages = installation.run(START, day(2))
    folder = installation.source(missing)
    assert messages == [f"{missing}: there are no log files in {folder}; {WHAT_TO_DO}"]
    assert sorted(installation.delivered()) == [START, day(2)]


def test_the_first_day_of_a_game_with_one_user_goes_through(tmp_path: Path) -> None:
    installation = make_installation(tmp_path)
    line = f'{{"id": "e", "ts": "{START}T10:00:00Z", "type": "session_start", "user": {{"id": 7}}}}'
    installation.write_logs(START, line)
    installation.run(START)
    (row,) = installation.predictions(START).to_pylist()
    assert (row["user_id"], row["as_of"], row["churn_probability"]) == ("7", START, None)


def test_a_day_dated_in_another_zone_belongs_to_the_games_day(tmp_path: Path) -> None:
    installation = make_installation(tmp_path, time_zone="Asia/Seoul")
    # Half past midnight in Seoul.
    moment = dt.datetime(2026, 1, 1, 15, 30, tzinfo=dt.UTC)
    line = f'{{"id": "e", "ts": "{moment:%Y-%m-%dT%H:%M:%SZ}", "type": "session_start",'
    installation.write_logs(day(1), f'{line} "user": {{"id": "u1"}}}}')
    installation.run(day(1), assets=["raw_logs", "user_activity"])
    file = installation.lake.local(f"user_activity/dt={day(1)}/user_activity.parquet")
    (row,) = parquet.read_table(file, partitioning=None).to_pylist()
    assert row["event_date"] == day(1)
