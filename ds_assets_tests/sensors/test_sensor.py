"""The sensor on real Dagster instances, over a lake in a folder and one in Azure Blob."""

import datetime as dt
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterRun
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.utils import make_new_run_id

from ds_assets.core.arrivals import RETRY_AFTER, RETRY_GIVEN_UP_AFTER, SETTLED_AFTER
from ds_assets.core.checksum import is_of_first_version
from ds_assets.core.lineage import lineage_of
from ds_assets.core.provenance import Provenance
from ds_assets.core.tables import PREDICTION_OUTCOMES, PROMOTION_OUTCOMES, PROMOTION_RESULTS
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import recorded, store_record, stored_files
from ds_assets.infra.lake.raw_logs import copy_day
from ds_assets.infra.lake.retention import Retention, remove_expired_days
from ds_assets.infra.lake.tables import read_rows, store_rows, table_file
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.installation import open_lake
from ds_assets.jobs import DELIVER_AGAIN, JUDGE, PREDICT, PREDICT_AGAIN
from ds_assets.runs import RANGE_END, RANGE_START, materialize_days
from ds_assets.sensors import lost_deliveries, sensor
from ds_assets.sensors.cursor import Cursor, read_cursor
from ds_assets.sensors.given_up import CHECK
from ds_assets.sensors.raw_files import OTHER_DAYS
from ds_assets.sensors.run_requests import MAX_RUNS_PER_EVALUATION
from ds_assets_tests.assets.factories import Installation, day, event, make_installation
from ds_assets_tests.infra.factories import row_of
from ds_assets_tests.infra.lake.lakes import KINDS, make_blob_lake, put_many
from ds_assets_tests.infra.receivers import ACKNOWLEDGED, SECRET, receiving
from ds_assets_tests.infra.results.databases import execute, read_report

MINUTE = dt.timedelta(minutes=1)
DELIVERIES = ("rds_results", "prediction_cache")
contents = itertools.count()


class World:
    """An installation whose sensor is asked, and whose runs go as a test says."""

    def __init__(self, home: Path, instance: dg.DagsterInstance, lake: Lake, **game: Any) -> None:
        self.installation = make_installation(home, **game)
        self.instance = instance
        self.lake = lake
        # What most tests store as delivered is in no database.
        cursor = Cursor(deliveries_checked=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
        self.cursor: str | None = cursor.model_dump_json(by_alias=True)
        self.later = 2 * SETTLED_AFTER
        self.reason = ""
        self.observations: list[dg.AssetObservation] = []
        self.checks: list[dg.AssetCheckEvaluation] = []

    def put(self, number: int, name: str = "events.jsonl", users: int = 1) -> None:
        """Put a raw file of a day into the lake."""
        lines = [event(n, f"{day(number)}T12:00:00Z", f"u{n}") for n in range(users)]
        self.lake.write(f"raw/dt={day(number)}/{name}", "\n".join(lines).encode())

    def tick(self) -> list[dg.RunRequest]:
        """Ask the sensor once, as the daemon does."""
        defs = self.installation.defs
        repository = defs.get_repository_def()
        resources = {name: (defs.resources or {})[name] for name in ("lake", "results", "cache")}
        with dg.build_sensor_context(
            self.instance, self.cursor, repository_def=repository, resources=resources
        ) as context:
            data = repository.get_sensor_def("raw_files").evaluate_tick(context)
        self.cursor, self.reason = data.cursor, data.skip_message or ""
        for happened in data.asset_events:
            if isinstance(happened, dg.AssetObservation):
                self.observations.append(happened)
            elif isinstance(happened, dg.AssetCheckEvaluation):
                self.checks.append(happened)
        return list(data.run_requests or [])

    def days(self) -> list[str]:
        """Days that a tick asks to run, which is not done."""
        return [str(request.partition_key) for request in self.tick()]

    def start(self, request: dg.RunRequest) -> DagsterRun:
        """Put a run on record, as the daemon does before it begins."""
        tags = dict(request.tags)
        if request.partition_key:
            tags["dagster/partition"] = str(request.partition_key)
        return self.instance.create_run_for_job(
            self.installation.defs.resolve_job_def(str(request.job_name)),
            tags=tags,
            status=dg.DagsterRunStatus.STARTED,
        )

    def add_run(self, partition: str, status: str = "STARTED") -> None:
        """Put a run on record that the sensor has not asked for."""
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("other"), "other")
        run = DagsterRun(
            "job",
            make_new_run_id(),
            tags={"dagster/partition": partition},
            status=dg.DagsterRunStatus(status),
            remote_job_origin=RemoteJobOrigin(repository, "job"),
        )
        self.instance.add_run(run)

    def end(self, run: DagsterRun, *, well: bool) -> None:
        kind = DagsterEventType.RUN_SUCCESS if well else DagsterEventType.RUN_FAILURE
        happened = DagsterEvent(event_type_value=kind.value, job_name=run.job_name)
        self.instance.report_dagster_event(happened, run.run_id)

    def make(self, number: int, assets: tuple[str, ...] = ("user_activity",)) -> None:
        """Materialize a day for real, as somebody does by hand."""
        self.installation.run(day(number), assets=assets)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(params=KINDS)
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    url = ""
    if request.param == "Blob":
        url = str(make_blob_lake(request.getfixturevalue("blob_url"), tmp_path))
        monkeypatch.setenv("DS_ASSETS_LAKE_URL", url)
    return open_lake(url, tmp_path / "lake", tmp_path / "lake_cache")


def make_world(
    tmp_path: Path,
    lake: Lake,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    **game: Any,
) -> World:
    world = World(tmp_path, instance, lake, **game)
    monkeypatch.setattr(sensor, "clock", lambda: dt.datetime.now(dt.UTC) + world.later)
    return world


@pytest.fixture
def world(
    tmp_path: Path,
    lake: Lake,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """The time is late enough for what is put now to have rested."""
    return make_world(tmp_path, lake, instance, monkeypatch)


def names(*numbers: int) -> list[str]:
    return [str(day(number)) for number in numbers]


def test_nothing_new_is_skipped_with_a_reason(world: World) -> None:
    assert world.days() == []
    assert world.reason == f"{world.lake}/raw: nothing new"


def refuse_a_day(world: World) -> None:
    """Run a day with a single user after one with many, so that its check fails."""
    world.put(0, users=20)
    world.make(0)
    world.put(7, users=1)
    (request,) = world.tick()
    world.end(world.start(request), well=False)
    with pytest.raises(InputError, match="1 events, where this weekday usually has 20"):
        world.make(7)


@pytest.mark.slow
def test_a_refused_day_is_not_run_again_and_reported_once_with_its_reason(world: World) -> None:
    refuse_a_day(world)
    assert world.days() == []
    assert "1 refused" in world.reason
    (observation,) = world.observations
    assert observation.partition == str(day(7))
    assert observation.description == (
        f"user_activity of {day(7)} is refused by the checks: 1 events, where this weekday usually "
        "has 20. Nothing is made from it until its files are replaced, or "
        f"`ds-assets accept {day(7)} --reason REASON` lets it pass."
    )
    assert world.days() == []
    assert len(world.observations) == 1


@pytest.mark.slow
def test_a_refused_day_whose_files_were_replaced_is_run(world: World) -> None:
    refuse_a_day(world)
    world.tick()
    world.put(7, users=20)
    assert world.days() == names(7)


@pytest.mark.slow
def test_an_accepted_day_is_run_from_its_features_on(world: World) -> None:
    refuse_a_day(world)
    world.tick()
    decide_by_operator(
        day(7), Decision.ACCEPTED, "a holiday", "anna", world.lake, world.installation.game
    )
    world.later += RETRY_AFTER[0]
    (request,) = world.tick()
    assert (request.partition_key, request.job_name) == (str(day(7)), PREDICT_AGAIN)


def test_a_new_day_is_one_run(world: World) -> None:
    world.put(3)
    (request,) = world.tick()
    assert (request.partition_key, request.job_name) == (str(day(3)), PREDICT)
    run = world.start(request)
    assert world.days() == []
    world.end(run, well=True)
    assert world.days() == []


@pytest.mark.parametrize("status", ["NOT_STARTED", "QUEUED", "STARTING", "CANCELING"])
def test_a_day_is_not_run_while_another_run_of_it_is_unfinished(world: World, status: str) -> None:
    world.add_run(str(day(3)), status)
    world.put(3)
    assert world.days() == []
    assert world.reason.endswith("1 waiting for a run in progress")


@pytest.mark.parametrize("partition", ["us-east", "2026-13-01", "2026-01-01|us", ""])
def test_runs_of_other_code_whose_partitions_are_no_days_disturb_nothing(
    world: World, partition: str
) -> None:
    world.add_run(partition)
    world.put(3)
    assert world.days() == names(3)


def test_files_that_come_over_minutes_are_one_run_when_they_have_rested(world: World) -> None:
    world.later = dt.timedelta()
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        world.put(3, name)
        assert world.days() == []
        assert world.reason.endswith("1 waiting for the rest of its files")
    world.later = 2 * SETTLED_AFTER
    assert world.days() == names(3)


def test_with_a_marker_a_day_is_run_as_soon_as_it_is_there_and_not_before(
    tmp_path: Path,
    lake: Lake,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = make_world(tmp_path, lake, instance, monkeypatch, logs={"marker": "_SUCCESS"})
    world.put(3)
    assert world.days() == []
    world.later = dt.timedelta()
    lake.write(f"raw/dt={day(3)}/_SUCCESS", b"")
    assert world.days() == names(3)


def test_with_kinds_of_files_a_day_is_run_when_the_lake_has_each(
    tmp_path: Path,
    lake: Lake,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = {"sessions": {"files": "sessions*"}, "revenue": {"files": "revenue*"}}
    world = make_world(tmp_path, lake, instance, monkeypatch, logs={"kinds": kinds})
    world.put(3, "sessions.jsonl")
    assert world.days() == []
    world.put(3, "revenue.jsonl")
    assert world.days() == names(3)


def test_a_file_that_is_replaced_runs_the_day_again(world: World) -> None:
    world.put(3)
    (before,) = world.tick()
    world.end(world.start(before), well=True)
    assert world.days() == []
    world.put(3, users=2)
    (after,) = world.tick()
    assert after.partition_key == before.partition_key
    assert after.run_key != before.run_key


def test_a_file_that_is_replaced_during_a_run_waits_for_its_end(world: World) -> None:
    world.put(3)
    run = world.start(*world.tick())
    world.put(3, users=2)
    assert world.days() == []
    assert world.reason.endswith("1 waiting for a run in progress")
    world.end(run, well=True)
    assert world.days() == names(3)


def test_a_run_of_a_range_by_hand_is_waited_for_too(world: World) -> None:
    job = world.installation.defs.resolve_job_def(PREDICT)
    tags = {RANGE_START: str(day(2)), RANGE_END: str(day(4))}
    world.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    for number in (3, 5):
        world.put(number)
    assert world.days() == names(5)


def test_a_file_that_is_deleted_runs_the_day_without_it(world: World) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        world.put(3, name)
    world.end(world.start(*world.tick()), well=True)
    assert world.days() == []
    world.lake.delete([f"raw/dt={day(3)}/b.jsonl"])
    assert world.days() == names(3)


def test_a_day_whose_files_are_all_gone_is_told_once_and_not_run(world: World) -> None:
    world.put(3)
    world.end(world.start(*world.tick()), well=True)
    store(world, "user_activity", 3)
    world.tick()
    world.lake.delete([f"raw/dt={day(3)}/events.jsonl"])
    assert world.days() == []
    assert (
        f"The raw files of {day(3)} were deleted; the data made from them is kept" in world.reason
    )
    assert world.days() == []
    assert "deleted" not in world.reason


def test_days_that_the_retention_removed_are_neither_run_nor_reported(world: World) -> None:
    for number in range(2):
        world.put(number)
        store(world, "user_activity", number)
    world.tick()
    gone = remove_expired_days(Retention(raw=1), world.lake, world.installation.game)
    assert gone["raw"].days == 1
    assert world.days() == []
    assert "deleted" not in world.reason
    remove_expired_days(Retention(tables=1), world.lake, world.installation.game)
    world.put(0)  # the raw files may be kept for longer than what was made from them
    assert world.days() == []


def test_a_path_that_names_no_day_is_told_once_and_the_others_run(world: World) -> None:
    for name in ("raw/notes.txt", "raw/dt=today/a.jsonl", "raw/dt=2026-13-01/a.jsonl"):
        world.lake.write(name, b"")
    world.days()
    ignored = "raw/dt=2026-13-01, raw/dt=today, raw/notes.txt"
    assert f"Ignoring {ignored}: not a partition folder" in world.reason
    assert world.days() == []
    assert "notes.txt" not in world.reason
    world.put(2)
    assert world.days() == names(2)


@pytest.mark.parametrize("folder", ["2026-01-03", "dt=20260103", "dt=2026-1-3", "dt=2026-W01-6"])
def test_a_folder_that_is_named_almost_like_a_day_is_told_and_not_run(
    folder: str, world: World
) -> None:
    world.lake.write(f"raw/{folder}/a.jsonl", b"{}")
    assert world.days() == []
    assert f"Ignoring raw/{folder}: not a partition folder" in world.reason


def test_a_day_without_a_partition_is_held_and_the_others_run(world: World) -> None:
    for number in (-1, 2, 40):  # the game has days 0 to 39
        world.put(number)
    (request,) = world.tick()
    assert request.partition_key == str(day(2))
    world.end(world.start(request), well=True)
    assert world.days() == []
    assert world.reason.endswith("2 held until it has a partition")


@pytest.mark.slow
def test_a_failed_run_is_tried_again_after_each_pause_and_given_up_visibly(world: World) -> None:
    world.put(3)
    requests = world.tick()
    for pause in RETRY_AFTER:  # each run ends now
        world.end(world.start(requests[-1]), well=False)
        world.later = pause - MINUTE
        assert world.days() == []
        world.later = pause
        requests += world.tick()
    assert len({request.run_key for request in requests}) == len(requests) == len(RETRY_AFTER) + 1
    world.end(world.start(requests[-1]), well=False)
    world.later = 10 * RETRY_AFTER[-1]
    assert world.days() == []
    assert f"Giving up on {day(3)} to {day(3)} after 4 failed runs of {PREDICT}" in world.reason
    assert [
        (observation.asset_key.to_user_string(), observation.partition)
        for observation in world.observations
    ] == [("user_activity", str(day(3)))]
    assert world.days() == []
    assert len(world.observations) == 1
    assert world.reason.endswith("1 given up after failed runs")


def give_up(world: World, request: dg.RunRequest) -> None:
    """Let a run and all its retries fail."""
    world.end(world.start(request), well=False)
    for world.later in RETRY_AFTER:
        (request,) = world.tick()
        world.end(world.start(request), well=False)
    assert world.tick() == []


@pytest.mark.slow
def test_a_day_that_was_given_up_is_tried_again_once_a_day(world: World) -> None:
    world.put(3)
    give_up(world, *world.tick())
    for _ in range(2):
        world.later = RETRY_GIVEN_UP_AFTER - MINUTE
        assert world.tick() == []
        world.later = RETRY_GIVEN_UP_AFTER
        (request,) = world.tick()
        assert days_of(request) == names(3)
        world.end(world.start(request), well=False)


@pytest.mark.slow
@pytest.mark.parametrize("is_by_hand", [False, True])
def test_a_day_that_was_given_up_fails_a_check_until_it_is_made(
    world: World, is_by_hand: bool
) -> None:
    world.put(3)
    give_up(world, *world.tick())
    (failing,) = world.checks
    assert (failing.asset_key.to_user_string(), failing.check_name) == ("user_activity", CHECK)
    assert not failing.passed
    assert str(failing.description).startswith(f"Giving up on {day(3)} to {day(3)} after 4 failed")
    world.later = RETRY_GIVEN_UP_AFTER
    (request,) = world.tick()
    if is_by_hand:
        store_made_day(world, 3)
    else:
        world.end(world.start(request), well=True)
        world.later = SETTLED_AFTER
    world.tick()
    passing = world.checks[-1]
    assert (passing.passed, passing.description) == (True, "no run was given up")
    assert world.days() == []
    assert len(world.checks) == 2


def test_a_delivery_that_was_given_up_fails_a_check_and_is_tried_again_once_a_day(
    world: World,
) -> None:
    store_made_day(world, 3)
    assert world.tick() == []
    world.lake.delete(
        f"provenance/{asset}/{name}"
        for asset in DELIVERIES
        for name in world.lake.entries(f"provenance/{asset}")
    )
    (request,) = world.tick()
    assert request.job_name == DELIVER_AGAIN
    give_up(world, request)
    (failing,) = world.checks
    assert (failing.asset_key.to_user_string(), failing.passed) == ("rds_results", False)
    world.later = RETRY_GIVEN_UP_AFTER
    (again,) = world.tick()
    world.end(world.start(again), well=True)
    store(world, "rds_results", 3)
    store(world, "prediction_cache", 3)
    assert world.tick() == []
    assert world.checks[-1].passed


@pytest.mark.slow
def test_the_check_of_runs_that_were_given_up_finds_the_same_in_a_run(world: World) -> None:
    world.put(3)
    give_up(world, *world.tick())
    world.put(9)
    assets = dg.AssetSelection.assets("user_activity")
    materialize_days(world.installation.defs, assets, day(9), day(9), world.instance)
    key = dg.AssetCheckKey(dg.AssetKey("user_activity"), CHECK)
    (record,) = world.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    assert record.event.asset_check_evaluation is not None
    assert str(day(3)) in str(record.event.asset_check_evaluation.description)


@pytest.mark.slow
def test_days_that_were_given_up_do_not_keep_others_from_being_refreshed(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake("", tmp_path / "lake", tmp_path)
    world = make_world(tmp_path, lake, instance, monkeypatch, windows=[1, 3], active_days=3)
    for number in (0, 39):
        store_made_day(world, number)
        store(world, "user_activity", number)
    (request,) = world.tick()
    assert (request.job_name, days_of(request)) == (PREDICT_AGAIN, names(0))
    world.end(world.start(request), well=False)
    for world.later in RETRY_AFTER:
        (request,) = world.tick()
        world.end(world.start(request), well=False)
    (request,) = world.tick()
    assert days_of(request) == names(39)


def store_made_day(world: World, number: int) -> None:
    """Store a day of everything that a run makes."""
    for asset in ("user_activity", "user_features", "predictions", *DELIVERIES):
        store(world, asset, number)


@pytest.mark.slow
def test_a_day_that_was_given_up_is_run_again_when_its_files_change(world: World) -> None:
    world.put(3)
    world.later = 10 * RETRY_AFTER[-1]
    for _ in range(len(RETRY_AFTER) + 1):
        world.end(world.start(*world.tick()), well=False)
    assert world.days() == []
    world.put(3, users=2)
    assert world.days() == names(3)


@pytest.mark.slow
def test_a_run_that_fails_after_its_activity_was_stored_is_tried_again(world: World) -> None:
    world.put(3)
    run = world.start(*world.tick())
    world.make(3)
    world.end(run, well=False)
    world.later = RETRY_AFTER[0]
    assert world.days() == names(3)


@pytest.mark.slow
def test_a_lost_or_broken_cursor_runs_nothing_again(world: World) -> None:
    broken = (None, "", "{", "[]", "7", '"text"', "\x00", '{"next": 7}')
    world.put(3)
    world.make(3)
    world.put(4)
    world.end(world.start(*world.tick()), well=True)
    for world.cursor in broken:
        assert world.days() == []
    world.put(5)
    for world.cursor in broken:
        assert world.days() == names(5)


def test_a_copy_that_changes_nothing_asks_for_nothing(world: World) -> None:
    installation = world.installation
    source = FolderLogSource(installation.settings.source, installation.game.log_path)
    installation.write_logs(day(3), event(1, f"{day(3)}T12:00:00Z"))
    for days in (names(3), []):
        copy_day(day(3), source, world.lake, print)
        requests = world.tick()
        assert [request.partition_key for request in requests] == days
        for request in requests:
            world.end(world.start(request), well=True)


def test_a_manifest_alone_is_no_raw_file(world: World) -> None:
    world.lake.write(f"raw/dt={day(3)}/_manifest.json", b"{}")
    assert world.days() == []


def days_of(request: dg.RunRequest) -> list[str]:
    """Days of a request, whether of one or of several."""
    first, last = (
        dt.date.fromisoformat(request.tags.get(tag) or str(request.partition_key))
        for tag in (RANGE_START, RANGE_END)
    )
    return [str(first + dt.timedelta(days=number)) for number in range((last - first).days + 1)]


def test_days_that_follow_each_other_share_a_run_and_what_comes_after_it_waits(
    world: World,
) -> None:
    for number in (3, 4, 5, 8):
        world.put(number)
    (request,) = world.tick()
    assert days_of(request) == names(3, 4, 5)
    run = world.start(request)
    assert world.tick() == []
    world.end(run, well=True)
    assert world.days() == names(8)


@pytest.mark.slow
def test_days_apart_from_each_other_are_a_few_runs_in_an_evaluation_the_oldest_first(
    world: World,
) -> None:
    apart = range(0, 2 * (MAX_RUNS_PER_EVALUATION + 2), 2)
    for number in reversed(apart):
        world.put(number)
    requests = world.tick()
    assert [request.partition_key for request in requests] == names(
        *apart[:MAX_RUNS_PER_EVALUATION]
    )
    for request in requests:
        world.start(request)
    assert world.days() == names(*apart[MAX_RUNS_PER_EVALUATION:])


@pytest.mark.slow
def test_a_run_of_several_days_that_fails_twice_is_retried_day_by_day(world: World) -> None:
    for number in (3, 4):
        world.put(number)
    for pause in RETRY_AFTER[:2]:
        (request,) = world.tick()
        assert days_of(request) == names(3, 4)
        world.end(world.start(request), well=False)
        world.later = pause - MINUTE
        assert world.tick() == []
        world.later = pause
    good, bad = world.tick()
    assert (days_of(good), days_of(bad)) == (names(3), names(4))
    world.end(world.start(good), well=True)
    world.end(world.start(bad), well=False)
    world.later = RETRY_AFTER[2]
    assert world.days() == names(4)


@pytest.mark.slow
def test_a_first_connect_of_a_thousand_days_is_few_runs_and_todays_is_among_the_first(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake("", tmp_path / "lake", tmp_path)
    game = {
        "first_day": day(-960),
        "windows": [1, 3, 7, 14, 28, 84],
        "active_days": 28,
        "horizons": {"churn": 14, "payment": 14},
    }
    world = make_world(tmp_path, lake, instance, monkeypatch, **game)
    for number in range(-960, 40):
        world.put(number)
    runs: list[list[str]] = []
    while requests := world.tick():
        (request,) = requests
        runs.append(days_of(request))
        run = world.start(request)
        assert world.tick() == []
        store(world, "user_activity", *(number_of(text) for text in runs[-1]))
        world.end(run, well=True)
    assert len(runs) == 33
    assert sorted(itertools.chain(*runs)) == names(*range(-960, 40))
    block = 84 + 14 + 25 * 7  # the windows of the oldest snapshot that today's model learns from
    assert runs[0][0] == str(day(39 - block))
    assert runs[8][-1] == str(day(39))
    assert runs[9][0] == str(day(-960))


def test_a_new_day_does_not_wait_for_a_run_of_the_days_before_what_it_reads(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake("", tmp_path / "lake", tmp_path)
    world = make_world(tmp_path, lake, instance, monkeypatch, first_day=day(-300))
    for number in (-300, -299):
        world.put(number)
    world.start(*world.tick())
    world.put(3)
    assert world.days() == names(3)


def number_of(text: str) -> int:
    return (dt.date.fromisoformat(text) - day(0)).days


@pytest.mark.slow
def test_the_run_that_is_asked_for_is_one_that_the_job_can_do(world: World) -> None:
    world.put(0)
    (request,) = world.tick()
    job = world.installation.defs.resolve_job_def(str(request.job_name))
    result = job.execute_in_process(
        partition_key=request.partition_key, instance=world.instance, tags=dict(request.tags)
    )
    assert result.success
    assert world.days() == []
    assert list(world.installation.delivered()) == [day(0)]


def store(world: World, asset: str, *numbers: int) -> None:
    """Store days of an asset as it would, each time with another content."""
    lineages = lineage_of(world.installation.game)
    for number in numbers:
        with recorded(asset, [day(number)], lineages, world.lake, "run"):
            for name in stored_files(lineages[asset], day(number)):
                world.lake.write(name, str(next(contents)).encode())


@pytest.mark.slow
def test_a_file_for_an_old_day_runs_it_and_then_the_stored_days_that_it_reaches(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake("", tmp_path / "lake", tmp_path)
    world = make_world(tmp_path, lake, instance, monkeypatch, windows=[1, 3], active_days=3)
    asset_names = ("user_activity", "user_features", "predictions", *DELIVERIES)
    for asset in (*asset_names, "prediction_outcomes"):
        store(world, asset, *range(10))
    assert world.days() == []
    world.put(4)
    (request,) = world.tick()
    assert request.partition_key == str(day(4))
    run = world.start(request)
    for asset in asset_names:
        store(world, asset, 4)
    assert world.days() == []  # while the day itself is under way
    world.end(run, well=True)
    (again,) = world.tick()
    assert again.job_name == PREDICT_AGAIN
    reached = world.installation.game.lookback_days
    assert (again.tags[RANGE_START], again.tags[RANGE_END]) == (
        str(day(5)),
        str(day(min(9, 4 + reached))),
    )
    run = world.start(again)
    assert world.days() == []
    for number in range(5, 10):
        for asset in asset_names[1:]:
            store(world, asset, number)
    world.end(run, well=True)
    (judge,) = world.tick()  # what was predicted, and what happened, is not what was compared
    assert judge.job_name == JUDGE
    assert judge.tags[RANGE_START] == str(day(0))


@pytest.mark.slow
def test_the_run_over_days_that_an_old_one_reaches_is_one_that_the_job_can_do(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake("", tmp_path / "lake", tmp_path)
    world = make_world(tmp_path, lake, instance, monkeypatch)
    for number in range(3):
        world.put(number, users=number + 1)
    world.installation.run(
        day(0), day(2), assets=[*sensors_downstream(world.installation)], instance=instance
    )
    world.put(0, "late.jsonl", users=9)
    first = world.tick()
    run_for_real(world, first[0])
    (again,) = world.tick()
    assert (again.tags[RANGE_START], again.tags[RANGE_END]) == (str(day(1)), str(day(2)))
    run_for_real(world, again)
    assert world.days() == []
    assert len(world.installation.predictions(day(2))) == 9


@pytest.fixture
def delivered(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> World:
    """An installation that has delivered two days; its sensor asks the servers at each tick."""
    lake = open_lake("", tmp_path / "lake", tmp_path)
    world = make_world(tmp_path, lake, instance, monkeypatch)
    monkeypatch.setattr(lost_deliveries, "INTERVAL", dt.timedelta())
    for number in range(2):
        world.put(number, users=3)
    world.installation.run(
        day(0), day(1), assets=[*sensors_downstream(world.installation)], instance=instance
    )
    world.cursor = None
    assert world.tick() == []
    return world


def deliver_again(world: World, first: int, last: int, then: str | None = None) -> None:
    """Expect a request to deliver days again, run it, and expect another job or nothing more."""
    (request,) = world.tick()
    assert request.job_name == DELIVER_AGAIN
    key, tags = request.partition_key, request.tags
    assert (key or tags[RANGE_START]) == str(day(first))
    assert (key or tags[RANGE_END]) == str(day(last))
    run_for_real(world, request)
    assert [request.job_name for request in world.tick()] == ([then] if then else [])


@pytest.mark.slow
def test_days_that_a_lost_database_held_are_delivered_again(delivered: World) -> None:
    (delivered.installation.home / "results.sqlite").unlink()
    deliver_again(delivered, 0, 1)
    assert sorted(delivered.installation.delivered()) == [day(0), day(1)]


@pytest.mark.slow
def test_a_day_that_a_restored_database_lacks_or_holds_otherwise_is_delivered_again(
    delivered: World,
) -> None:
    url = delivered.installation.settings.results_url
    execute(url, f"DELETE FROM deliveries WHERE as_of = '{day(1)}'")
    deliver_again(delivered, 1, 1)
    execute(url, f"UPDATE deliveries SET checksum = 'other' WHERE as_of = '{day(0)}'")
    deliver_again(delivered, 0, 0)


@pytest.mark.slow
def test_a_day_that_an_earlier_release_delivered_is_not_lost_until_the_database_holds_another(
    delivered: World,
) -> None:
    of_earlier, installation = "0a" * 32, delivered.installation
    assert is_of_first_version(of_earlier)
    update = f"UPDATE deliveries SET checksum = '{{}}' WHERE as_of = '{day(0)}'"
    url = installation.settings.results_url
    execute(url, update.format(of_earlier))
    records = open_records(installation.game, installation.lake)
    records._replace("rds_results", [day(0)], {"content": of_earlier})
    with installation.results() as results:
        assert lost_deliveries._lost_in_database(records, results) == []
        execute(url, update.format("0b" * 32))
        assert lost_deliveries._lost_in_database(records, results) == [day(0)]
        installation.run(day(0), assets=["rds_results"])
        records = open_records(installation.game, installation.lake)
        assert lost_deliveries._lost_in_database(records, results) == []
    assert not is_of_first_version(installation.delivered()[day(0)])


@pytest.mark.slow
def test_stores_that_another_lake_has_taken_over_are_reported_and_not_taken_for_lost(
    delivered: World,
) -> None:
    installed = delivered.installation.installed
    with installed.results() as results, installed.cache() as cache:
        results.claim("another lake", is_taking_over=True)
        cache.claim("another lake", is_taking_over=True)
    assert delivered.tick() == []
    assert delivered.reason.count("belongs to an installation") == 2
    assert "Whether rds_results still holds its days is unknown" in delivered.reason


@pytest.fixture
def compared(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> World:
    """An installation that has compared predictions with what happened, and delivered both."""
    lake = open_lake("", tmp_path / "lake", tmp_path)
    horizons = {"churn": 1, "payment": 1}
    world = make_world(tmp_path, lake, instance, monkeypatch, horizons=horizons)
    monkeypatch.setattr(lost_deliveries, "INTERVAL", dt.timedelta())
    for number in range(4):
        world.put(number, users=3)
    sensed = [*sensors_downstream(world.installation)]
    world.installation.run(day(0), day(3), assets=sensed, instance=instance)
    world.installation.run(day(0), day(3), assets=["prediction_outcomes"], instance=instance)
    world.cursor = None
    assert world.tick() == []
    return world


@pytest.mark.slow
def test_outcomes_that_a_restored_database_lacks_are_compared_and_delivered_again(
    compared: World,
) -> None:
    url = compared.installation.settings.results_url
    execute(url, f"DELETE FROM deliveries WHERE as_of = '{day(3)}'")
    deliver_again(compared, 3, 3, then=JUDGE)


@pytest.mark.slow
@pytest.mark.parametrize(("lost", "first"), [(f"as_of = '{day(1)}'", 1), ("1 = 1", 0)])
def test_outcomes_alone_that_a_database_has_lost_are_compared_and_delivered_again(
    lost: str, first: int, compared: World
) -> None:
    with compared.installation.results() as results:
        for number in range(2):
            row = row_of(PREDICTION_OUTCOMES, as_of=day(number))
            rows = pa.Table.from_pylist([row], schema=PREDICTION_OUTCOMES.arrow_schema)
            store_rows(rows, PREDICTION_OUTCOMES.name, day(number), compared.lake)
            results.put_report(PREDICTION_OUTCOMES, day(number), rows)
    assert compared.tick() == []
    execute(
        compared.installation.settings.results_url, f"DELETE FROM prediction_outcomes WHERE {lost}"
    )
    (request,) = compared.tick()
    assert request.job_name == JUDGE
    assert (request.partition_key or request.tags[RANGE_START]) == str(day(first))
    run_for_real(compared, request)
    assert compared.tick() == []


@pytest.mark.slow
def test_what_a_lost_cache_held_is_delivered_again_until_it_would_have_expired(
    delivered: World,
) -> None:
    with delivered.installation.cache() as cache:
        cache.ping()
        cache._client.flushdb()
        deliver_again(delivered, 0, 1)
        assert cache.current_day() == day(1)
        cache._client.flushdb()
        delivered.later = 2 * cache.time_to_live
        assert delivered.tick() == []


@pytest.mark.slow
def test_a_lost_cache_is_found_once_while_its_delivery_waits(delivered: World) -> None:
    ttl = dt.timedelta(days=delivered.installation.settings.cache_days)
    first = day(1) - ttl
    store_record(Provenance(asset="prediction_cache", day=first, inputs={}), delivered.lake)
    with delivered.installation.cache() as cache:
        cache.ping()
        cache._client.flushdb()
        for _ in range(2):  # the run that is requested does not start
            delivered.tick()
    records = open_records(delivered.installation.game, delivered.installation.lake)
    assert sorted(records.recorded_days("prediction_cache")) == [first]


def test_a_database_that_is_not_there_is_a_warning_and_no_reason_to_stop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DS_ASSETS_RESULTS_URL", "mysql+pymysql://u:secret@127.0.0.1:9/db")
    world.cursor = None
    world.installation = Installation(world.installation.home)
    world.put(3)
    store(world, "rds_results", 3)
    assert world.days() == names(3)
    assert "secret" not in world.reason


def test_predictions_are_judged_once_when_their_horizon_is_over(world: World) -> None:
    for number in range(5):
        store(world, "user_activity", number)
    for asset in ("predictions", *DELIVERIES):
        store(world, asset, 0)
    assert world.tick() == []  # neither horizon is over: five days for churn, seven for payment
    store(world, "user_activity", 5)
    (request,) = world.tick()
    assert (request.job_name, request.partition_key) == (JUDGE, str(day(0)))
    run = world.start(request)
    assert world.tick() == []
    store(world, "prediction_outcomes", 0)
    world.end(run, well=True)
    assert world.tick() == []


def test_predictions_are_judged_again_when_what_happened_changes(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake("", tmp_path / "lake", tmp_path)
    world = make_world(tmp_path, lake, instance, monkeypatch)
    for number in range(6):
        store(world, "user_activity", number)
    for asset in ("predictions", *DELIVERIES):
        store(world, asset, 0)
    store(world, "prediction_outcomes", 0)
    assert world.tick() == []
    store(world, "user_activity", 3)
    (request,) = world.tick()
    assert (request.job_name, request.partition_key) == (JUDGE, str(day(0)))


@pytest.mark.slow
def test_the_run_that_judges_is_one_that_the_job_can_do(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake("", tmp_path / "lake", tmp_path)
    world = make_world(tmp_path, lake, instance, monkeypatch)
    for number in range(8):
        world.put(number, users=5)
    world.installation.run(
        day(0), day(7), assets=[*sensors_downstream(world.installation)], instance=instance
    )
    (request,) = world.tick()
    assert request.job_name == JUDGE
    run_for_real(world, request)
    assert world.tick() == []
    assert lake.exists(table_file("prediction_outcomes", day(0)))


@pytest.fixture
def promoted(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> World:
    """An installation whose promotions were assigned and measured, and that waits for nothing."""
    lake = open_lake("", tmp_path / "lake", tmp_path)
    game = {
        "horizons": {"churn": 1, "payment": 1},
        "promotions": {"bundle": {"who": "active_days_1d > 0", "control": "50%"}},
    }
    world = make_world(tmp_path, lake, instance, monkeypatch, **game)
    for number, users in enumerate((20, 10, 20, 20)):
        world.put(number, users=users)
    sensed = [*sensors_downstream(world.installation)]
    world.installation.run(day(0), day(3), assets=sensed, instance=instance)
    (judge,) = world.tick()
    assert judge.job_name == JUDGE
    run_for_real(world, judge)
    assert world.tick() == []
    return world


def stored_objects(world: World, table: str) -> dict[str, bytes]:
    return {it.name: world.lake.read(it.name) for it in world.lake.objects(table)}


def share_of_churn(world: World, number: int) -> float:
    """Share of the users assigned to the bundle on a day that did not come back."""
    rows = read_rows(PROMOTION_OUTCOMES, day(number), world.lake).to_pandas()
    chosen = rows[(rows["outcome"] == "churn") & (rows["segment"] == "all")]
    return float((chosen["users"] * chosen["mean"]).sum() / chosen["users"].sum())


@pytest.mark.slow
def test_late_data_leaves_promotions_as_they_are_and_measures_them_again(promoted: World) -> None:
    facts = ("promotions", "promotion_changes", "promotion_offers")
    before = [stored_objects(promoted, table) for table in facts]
    assert share_of_churn(promoted, 0) == 0.5
    promoted.put(1, "late.jsonl", users=20)
    requested = []
    while requests := promoted.tick():
        for request in requests:
            requested.append(request.job_name)
            run_for_real(promoted, request)
        assert len(requested) < 10, f"the sensor never stops: {requested}"
    assert requested == [PREDICT, PREDICT_AGAIN, JUDGE]
    assert len(promoted.installation.predictions(day(1))) == 20
    assert [stored_objects(promoted, table) for table in facts] == before
    assert share_of_churn(promoted, 0) == 0


@pytest.mark.slow
def test_results_of_promotions_that_a_database_has_lost_are_delivered_again(
    promoted: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_deliveries, "INTERVAL", dt.timedelta())
    promoted.cursor = None
    assert promoted.tick() == []
    with promoted.installation.results() as results:
        before = read_report(results, PROMOTION_RESULTS)
    assert before.num_rows
    url = promoted.installation.settings.results_url
    execute(url, f"DELETE FROM promotion_results WHERE as_of = '{day(1)}'")
    (request,) = promoted.tick()
    assert (request.job_name, request.partition_key) == (JUDGE, str(day(1)))
    run_for_real(promoted, request)
    assert promoted.tick() == []
    with promoted.installation.results() as results:
        assert read_report(results, PROMOTION_RESULTS).equals(before)


@pytest.mark.slow
def test_changes_that_a_receiver_did_not_take_are_sent_when_it_is_back(promoted: World) -> None:
    with receiving(lambda _: (503, {"retry-after": "3600"})) as receiver:
        promoted.installation = Installation(
            promoted.installation.home, {"webhook_url": receiver.url, "webhook_secret": SECRET}
        )
        promoted.put(4, users=30)
        failed = []
        while (request := promoted.tick()[0]).job_name != JUDGE:  # until it is given up
            failed.append((request.job_name, request.partition_key))
            run_for_real(promoted, request, well=False)
            promoted.later += RETRY_AFTER[-1]
        again = [DELIVER_AGAIN] * (len(RETRY_AFTER) + 1)
        assert failed == [(job, str(day(4))) for job in (PREDICT, *again)]
        assert max(promoted.installation.delivered()) == day(4)
        receiver.reply = lambda _: ACKNOWLEDGED
        promoted.put(5, users=30)
        while requests := promoted.tick():
            for request in requests:
                run_for_real(promoted, request)
    records = open_records(promoted.installation.game, promoted.lake)
    assert {day(4), day(5)} <= records.current_days("promotion_changes")
    days = [message["data"]["as_of"] for _, message in receiver.accepted]
    assert days == names(4, 5)


def sensors_downstream(installation: Installation) -> list[str]:
    job = installation.defs.resolve_job_def(PREDICT)
    return sorted({key.to_user_string() for key in job.asset_layer.executable_asset_keys})


def run_for_real(world: World, request: dg.RunRequest, *, well: bool = True) -> None:
    job = world.installation.defs.resolve_job_def(str(request.job_name))
    result = job.execute_in_process(
        partition_key=request.partition_key,
        instance=world.instance,
        tags=dict(request.tags),
        raise_on_error=well,
    )
    assert result.success == well


@pytest.mark.slow
def test_many_new_files_are_bounded_work_a_tick_and_all_are_handled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.tick() == []  # the first one looks for days that an older release has stored
    days = [day(number) for number in range(-60, 40)]
    files = 30 if isinstance(world.lake, FolderLake) else 5  # what is bounded are listings of days
    put_many(world.lake, [f"raw/dt={day}/{file:03}.jsonl" for day in days for file in range(files)])
    assert len(world.lake.objects("raw")) == 100 * files
    looked: list[str] = []
    kind = type(world.lake)
    listing = kind.objects

    def counted(lake: Any, prefix: str) -> Any:
        looked.append(prefix)
        return listing(lake, prefix)

    monkeypatch.setattr(kind, "objects", counted)
    requested_days = []
    for _ in range(20):
        looked.clear()
        requests = world.tick()
        assert len(looked) <= OTHER_DAYS + 20
        requested_days += [text for request in requests for text in days_of(request)]
        for request in requests:
            world.end(world.start(request), well=True)
        if len(requested_days) == 40:
            break
    assert sorted(requested_days) == names(*range(40))
    assert world.tick() == []


def test_the_sensor_runs_without_being_switched_on(world: World) -> None:
    sensor = world.installation.defs.get_repository_def().get_sensor_def("raw_files")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_the_cursor_that_a_running_installation_has_stored_is_read_and_written_alike() -> None:
    stored = {"next": str(day(2)), "told": ["x"]}
    cursor = read_cursor(json.dumps({"done": {str(day(1)): "a"}, **stored}))
    assert (cursor.next, cursor.warned) == (day(2), {"x"})
    written = json.loads(cursor.model_dump_json(by_alias=True))
    assert {name: written.get(name) for name in ("done", *stored)} == {"done": None, **stored}
