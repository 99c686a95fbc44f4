"""The sensor on the log source: what it collects, when, and in which order."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType

from ds_assets.game import MIN_LOOKBACK_DAYS
from ds_assets.infra.lake.raw_logs import Manifest, read_manifest
from ds_assets.infra.log_source.base import SourceUnavailable
from ds_assets.infra.log_source.folder import FolderLogSource
from ds_assets.jobs import COLLECT
from ds_assets.runs import RANGE_END, RANGE_START
from ds_assets.sensors import log_source
from ds_assets.sensors.log_source import LOOK_INTERVAL, find_newest_due_day
from ds_assets_tests.assets.factories import day, event, make_installation
from ds_assets_tests.conftest import BUCKET
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.faults.proxy import NONE, REFUSED, FaultProxy
from ds_assets_tests.infra.lake.lakes import make_blob_lake

MORNING = dt.time(3, tzinfo=dt.UTC)


class World:
    """An installation whose log source is looked at, at times that a test sets."""

    def __init__(self, home: Path, instance: dg.DagsterInstance, **game: Any) -> None:
        self.installation = make_installation(home, **game)
        self.instance = instance
        self.cursor: str | None = None
        self.now = dt.datetime.combine(day(0), MORNING)
        self.reason = ""
        self.events: list[Any] = []

    def put(self, number: int, name: str = "events.jsonl", users: int = 1) -> Path:
        """Write a file of a day into the source, on the day."""
        lines = [event(n, f"{day(number)}T12:00:00Z", f"u{n}") for n in range(users)]
        file = self.installation.write_logs(day(number), *lines, name=name)
        written = dt.datetime.combine(day(number), dt.time(23), dt.UTC).timestamp()
        os.utime(file, (written, written))
        return file

    def tick(self) -> list[dg.RunRequest]:
        """Ask the sensor once, as the daemon does."""
        defs = self.installation.defs
        repository = defs.get_repository_def()
        resources = {name: (defs.resources or {})[name] for name in ("lake", "log_source")}
        with dg.build_sensor_context(
            self.instance, self.cursor, repository_def=repository, resources=resources
        ) as context:
            data = repository.get_sensor_def("log_source").evaluate_tick(context)
        self.cursor, self.reason = data.cursor, data.skip_message or ""
        self.events += data.asset_events
        return list(data.run_requests or [])

    def run(self, request: dg.RunRequest) -> None:
        """Do what is requested, as the daemon does."""
        job = self.installation.defs.resolve_job_def(str(request.job_name))
        tags = dict(request.tags)
        result = job.execute_in_process(
            partition_key=request.partition_key, instance=self.instance, tags=tags
        )
        assert result.success

    def fail(self, request: dg.RunRequest) -> None:
        """Put a run on record that has failed."""
        job = self.installation.defs.resolve_job_def(str(request.job_name))
        tags = dict(request.tags) | {"dagster/partition": str(request.partition_key)}
        run = self.instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.STARTED)
        happened = DagsterEvent(DagsterEventType.RUN_FAILURE.value, job_name=run.job_name)
        self.instance.report_dagster_event(happened, run.run_id)

    def collect_until(self, number: int) -> list[list[dt.date]]:
        """Look until there is nothing new, in the morning after a day; returns days of runs."""
        self.now = max(self.now + LOOK_INTERVAL, dt.datetime.combine(day(number + 1), MORNING))
        runs = []
        while requests := self.tick():
            for request in requests:
                runs.append(days_of(request))
                self.run(request)
        return runs


def days_of(request: dg.RunRequest) -> list[dt.date]:
    first, last = (
        dt.date.fromisoformat(request.tags.get(tag) or str(request.partition_key))
        for tag in (RANGE_START, RANGE_END)
    )
    return [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def world(tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, instance, monkeypatch)


def make_world(
    home: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, **game: Any
) -> World:
    world = World(home, instance, **game)
    monkeypatch.setattr(log_source, "clock", lambda: world.now)
    return world


def test_a_day_is_collected_once_and_unchanged_files_start_no_run(world: World) -> None:
    world.put(0)
    assert world.collect_until(0) == [[day(0)]]
    assert world.collect_until(0) == []
    assert world.reason.endswith(": nothing new")


def test_a_day_is_collected_when_it_is_uploaded_however_late(world: World) -> None:
    world.put(0)
    assert world.collect_until(0) == [[day(0)]]
    assert world.collect_until(1) == []
    world.put(1)
    assert world.collect_until(1) == [[day(1)]]


def test_late_files_of_the_last_days_are_collected_and_those_of_older_days_are_not(
    world: World,
) -> None:
    for number in range(5):
        world.put(number)
    world.collect_until(4)
    for number in range(5):
        world.put(number, "late.jsonl")
    assert world.collect_until(4) == [[day(2), day(3), day(4)]]


def test_the_source_is_asked_again_after_a_while_and_only_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(0)
    world.collect_until(0)
    listed: list[str] = []
    listing = FolderLogSource.below

    def below(source: FolderLogSource, folder: str) -> Any:
        listed.append(folder)
        return listing(source, folder)

    monkeypatch.setattr(FolderLogSource, "below", below)
    assert (world.tick(), listed) == ([], [])
    world.now += LOOK_INTERVAL
    assert (world.tick(), listed) == ([], [f"dt={day(0)}"])


@pytest.mark.slow
def test_after_three_weeks_without_the_daemon_all_days_and_late_files_are_collected(
    world: World,
) -> None:
    for number in range(5):
        world.put(number)
    world.collect_until(4)
    world.put(4, "late.jsonl")
    for number in range(5, 26):
        world.put(number)
    runs = world.collect_until(25)
    assert runs == [[day(number) for number in range(4, 26)]]


def test_an_outage_of_the_source_is_a_warning_and_the_day_is_collected_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(0)
    with monkeypatch.context() as outage:
        outage.setattr(FolderLogSource, "entries", unavailable)
        assert world.collect_until(0) == []
        assert "The log source cannot be looked at: it is down" in world.reason
    assert world.collect_until(0) == [[day(0)]]


def unavailable(*_: object) -> list[str]:
    raise SourceUnavailable("it is down")


@pytest.mark.slow
def test_a_hole_is_collected_whenever_the_source_has_it(world: World) -> None:
    for number in (0, 1, 3, 4, 5, 6, 7):
        world.put(number)
    world.collect_until(7)
    world.put(2)
    assert world.collect_until(7) == [[day(2)]]


@pytest.mark.slow
def test_missing_days_fail_a_check_until_they_are_collected_or_closed(world: World) -> None:
    for number in (0, 2):
        world.put(number)
    world.collect_until(2)
    failing = world.events[-1]
    assert (failing.asset_key, failing.check_name) == (
        dg.AssetKey("raw_logs"),
        "has_no_missing_days",
    )
    assert not failing.passed
    assert failing.description.startswith(f"no logs of {day(1)} in ")
    world.put(1)
    world.collect_until(2)
    assert world.events[-1].passed


@pytest.mark.slow
def test_a_file_that_has_left_the_source_is_found_and_no_longer_counts(world: World) -> None:
    world.put(0, "part-a.jsonl")
    world.collect_until(0)
    world.put(0, "part-b.jsonl")
    (world.installation.source(day(0)) / "part-a.jsonl").unlink()
    assert world.collect_until(0) == [[day(0)]]
    assert [file.name for file in read_manifest(day(0), world.installation.lake).gone] == [
        "part-a.jsonl"
    ]
    event = world.instance.get_latest_materialization_event(dg.AssetKey("raw_logs"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["gone_from_source"].value == ["part-a.jsonl"]


def test_a_day_that_the_source_keeps_no_longer_starts_no_run(world: World) -> None:
    file = world.put(0)
    world.collect_until(0)
    file.unlink()
    assert world.collect_until(0) == []


def test_with_a_marker_a_day_is_collected_when_the_source_has_it(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, instance, monkeypatch, logs={"marker": "_SUCCESS"})
    world.put(0)
    assert world.collect_until(0) == []
    assert world.reason.endswith("1 waiting for the rest of its files")
    world.put(0, "_SUCCESS", users=0)
    assert world.collect_until(0) == [[day(0)]]
    assert world.collect_until(0) == []
    assert world.installation.lake.exists(f"raw/dt={day(0)}/_SUCCESS")


def test_with_kinds_of_files_a_day_is_collected_when_the_source_has_each(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"sessions": {"files": "sessions*"}, "revenue": {"files": "revenue*"}}
    world = make_world(tmp_path, instance, monkeypatch, logs={"kinds": kinds})
    world.put(0, "sessions.jsonl")
    assert world.collect_until(0) == []
    assert world.reason.endswith("1 waiting for the rest of its files")
    world.put(0, "revenue.jsonl")
    assert world.collect_until(0) == [[day(0)]]
    assert world.collect_until(0) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["e-{0:%Y%m%d}-07.jsonl", "{0:%Y%m%d}/e.jsonl"])
def test_with_the_day_in_any_name_each_day_is_collected_and_a_late_file_follows(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    world = make_world(tmp_path, instance, monkeypatch, logs={"path": "*%Y%m%d*"})

    def put(number: int, name: str) -> None:
        target = world.installation.settings.source / name.format(day(number))
        target.parent.mkdir(parents=True, exist_ok=True)
        world.put(number).rename(target)

    for number in (0, 2):
        put(number, name)
    assert world.collect_until(2) == [[day(0)], [day(2)]]
    put(1, name)
    put(2, f"late-{name}")
    assert world.collect_until(2) == [[day(1), day(2)]]
    assert world.collect_until(2) == []
    files = read_manifest(day(2), world.installation.lake).files
    assert {file.name for file in files} == {it.format(day(2)) for it in (name, f"late-{name}")}


@pytest.mark.slow
def test_files_that_are_still_coming_wait(world: World) -> None:
    file = world.put(0)
    world.now = dt.datetime.combine(day(1), MORNING)
    recent = (world.now - dt.timedelta(seconds=10)).timestamp()
    os.utime(file, (recent, recent))
    assert world.tick() == []
    assert world.reason.endswith("1 waiting for the rest of its files")
    assert world.collect_until(0) == [[day(0)]]


@pytest.mark.slow
def test_a_first_connect_collects_what_todays_predictions_read_first(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, instance, monkeypatch, first_day=day(-220))
    for number in range(-220, 40):
        world.put(number)
    runs = world.collect_until(39)
    # look-back, longest horizon, and snapshots that models learn from
    block = MIN_LOOKBACK_DAYS + 7 + 25 * 7
    assert runs[0][0] == day(39 - block)
    assert max(map(len, runs)) == 31
    assert [run[-1] for run in runs].index(day(39)) == 7
    assert len(runs) == 9
    assert sorted(it for run in runs for it in run) == [day(n) for n in range(-220, 40)]


def test_days_that_were_put_straight_into_the_lake_need_no_source(world: World) -> None:
    world.installation.lake.write(f"raw/dt={day(0)}/events.jsonl", b"{}\n")
    assert world.collect_until(0) == []
    assert world.reason.endswith("nothing new")


def test_folders_that_look_like_days_are_named_once(world: World) -> None:
    (world.installation.settings.source / "dt=2026-1-1").mkdir(parents=True)
    world.collect_until(0)
    assert "1 names look like days and are not collected" in world.reason
    world.collect_until(0)
    assert "look like days" not in world.reason


def test_a_copy_that_fails_again_and_again_is_given_up_visibly(world: World) -> None:
    world.put(0)
    world.now = dt.datetime.now(dt.UTC)
    for pause in (0, 2, 10, 60):
        world.now = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=pause)
        world.cursor = None
        (request,) = world.tick()
        assert request.job_name == COLLECT
        world.fail(request)
    assert world.tick() == []
    assert "Giving up" in world.reason
    failed = [
        (it.asset_key.to_user_string(), it.check_name)
        for it in world.events
        if isinstance(it, dg.AssetCheckEvaluation) and not it.passed
    ]
    assert ("raw_logs", "is_not_given_up") in failed


@pytest.mark.slow
def test_s3_to_blob_collects_what_is_new_and_nothing_twice(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    s3: Any,
    blob_url: str,
) -> None:
    monkeypatch.setenv("DS_ASSETS_SOURCE_URL", f"s3://{BUCKET}/sensor")
    monkeypatch.setenv("DS_ASSETS_LAKE_URL", str(make_blob_lake(blob_url, tmp_path)))
    world = make_world(tmp_path, instance, monkeypatch, last_day=day(2))
    world.now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    for number in range(3):
        key = f"sensor/dt={day(number)}/events.jsonl"
        s3.put_object(Bucket=BUCKET, Key=key, Body=event(1, f"{day(number)}T12:00:00Z"))
    assert world.collect_until(2) == [[day(0), day(1), day(2)]]
    s3.put_object(Bucket=BUCKET, Key=f"sensor/dt={day(1)}/late.jsonl", Body=b"{}")
    assert world.collect_until(2) == [[day(1)]]
    latest = world.instance.get_latest_materialization_event(dg.AssetKey("raw_logs"))
    assert latest is not None
    assert latest.asset_materialization is not None
    metadata = latest.asset_materialization.metadata
    assert (metadata["files"].value, metadata["files_copied"].value) == (2, 1)
    assert world.collect_until(2) == []


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["S3", "Blob"])
def test_an_outage_of_s3_or_blob_is_one_sentence_and_every_day_is_collected_after_it(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    s3: Any,
    blob_url: str,
    lost: str,
) -> None:
    port = urlsplit({"S3": s3.meta.endpoint_url, "Blob": blob_url}[lost]).port
    assert port
    lake = str(make_blob_lake(blob_url, tmp_path))
    with FaultProxy(port) as proxy:
        if lost == "S3":
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
        address = lake.replace(f":{port}/", f":{proxy.port}/")
        monkeypatch.setenv("DS_ASSETS_LAKE_URL", address)
        monkeypatch.setenv("DS_ASSETS_SOURCE_URL", f"s3://{BUCKET}/outage of {lost}")
        world = make_world(tmp_path, instance, monkeypatch, last_day=day(2))
        world.now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        for number in range(3):
            key = f"outage of {lost}/dt={day(number)}/events.jsonl"
            s3.put_object(Bucket=BUCKET, Key=key, Body=event(1, f"{day(number)}T12:00:00Z"))
        proxy.fault = REFUSED
        assert world.tick() == []
        setting = {"S3": "DS_ASSETS_SOURCE_URL", "Blob": "DS_ASSETS_LAKE_URL"}[lost]
        assert f"({setting}) cannot be used" in world.reason
        proxy.fault = NONE
        assert world.collect_until(2) == [[day(0), day(1), day(2)]]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/Los_Angeles"])
def test_a_day_is_due_from_the_set_hour_of_the_games_zone_on(zone: str) -> None:
    game = make_game(first_day=dt.date(2026, 1, 1), last_day=None, time_zone=zone)
    at = dt.datetime(2026, 3, 10, 4, tzinfo=ZoneInfo(zone))
    assert find_newest_due_day(game, 4, at) == dt.date(2026, 3, 9)
    before = at - dt.timedelta(minutes=1)
    assert find_newest_due_day(game, 4, before) == dt.date(2026, 3, 8)


def test_an_hour_that_the_clock_leaves_out_does_not_leave_out_the_day() -> None:
    game = make_game(first_day=dt.date(2026, 1, 1), last_day=None, time_zone="Europe/Berlin")
    # There is no 2 o'clock on that day: an hour after 1 it is 3.
    at = dt.datetime(2026, 3, 29, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    assert find_newest_due_day(game, 2, at) == dt.date(2026, 3, 28)


def test_after_the_last_day_of_a_game_that_day_is_the_newest() -> None:
    game = make_game(first_day=dt.date(2026, 1, 1), last_day=dt.date(2026, 3, 5))
    later = dt.datetime(2027, 1, 1, 12, tzinfo=dt.UTC)
    assert find_newest_due_day(game, 2, later) == dt.date(2026, 3, 5)


def test_on_the_first_day_of_a_game_nothing_is_collected(world: World) -> None:
    world.put(0)
    assert world.tick() == []


def test_the_sensor_runs_without_being_switched_on(world: World) -> None:
    sensor = world.installation.defs.get_repository_def().get_sensor_def("log_source")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_a_manifest_of_an_older_release_is_read() -> None:
    manifest = Manifest.model_validate({"day": str(day(0)), "files": []})
    assert manifest.marker == ""
