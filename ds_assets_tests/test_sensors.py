"""The sensor on a real instance, and the rule by which it chooses days."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.resources.ingestion import RAW, copy_day, fingerprint, raw_objects
from ds_assets.resources.lake import day_folder
from ds_assets.resources.log_source import FolderLogSource
from ds_assets.sensors import (
    MOST_RUNS_A_TICK,
    SETTLED_AFTER,
    RawDay,
    days_to_run,
    raw_files_sensor,
    read_cursor,
)
from ds_assets_tests.assets.factories import Installation, day, event, make_installation

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
LONG_AGO = 1_700_000_000


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return make_installation(tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def put(installation: Installation, number: int, *, users: int = 1, age: int = LONG_AGO) -> None:
    """Put a day's raw file into the lake, as old as the epoch time says; 0 is now."""
    folder = installation.settings.lake / day_folder(RAW, day(number))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "events.jsonl"
    lines = [event(n, f"{day(number)}T12:00:00Z", f"u{n}") for n in range(users)]
    file.write_text("\n".join(lines) + "\n")
    if age:
        os.utime(file, (age, age))


def evaluate(
    installation: Installation, instance: dg.DagsterInstance, cursor: str | None = None
) -> Any:
    repository = installation.defs.get_repository_def()
    lake = (installation.defs.resources or {})["lake"]
    with dg.build_sensor_context(
        instance, cursor, repository_def=repository, resources={"lake": lake}
    ) as context:
        return repository.get_sensor_def("raw_files").evaluate_tick(context)


def tick(
    installation: Installation, instance: dg.DagsterInstance, cursor: str | None = None
) -> tuple[list[str], str | None, str]:
    """Days asked for, the new cursor, and the reason of a tick that asks for none."""
    data = evaluate(installation, instance, cursor)
    days = [str(request.partition_key) for request in data.run_requests or []]
    return days, data.cursor, data.skip_message or ""


def keys(installation: Installation, instance: dg.DagsterInstance) -> list[str]:
    return [request.run_key for request in evaluate(installation, instance).run_requests]


def names(*numbers: int) -> list[str]:
    return [str(day(number)) for number in numbers]


def test_an_empty_lake_is_skipped_with_a_reason(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    asked, _, reason = tick(installation, instance)
    assert asked == []
    assert reason == f"no raw files in {installation.settings.lake} are new, changed and settled"


def test_a_new_day_is_asked_for_once(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, 3)
    asked, cursor, _ = tick(installation, instance)
    assert asked == names(3)
    assert tick(installation, instance, cursor)[0] == []


def test_a_day_whose_files_are_young_waits_until_they_have_settled(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, 3, age=0)
    assert tick(installation, instance)[0] == []
    put(installation, 3)
    assert tick(installation, instance)[0] == names(3)


def test_a_young_file_beside_an_old_one_makes_the_day_wait(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, 3)
    folder = installation.settings.lake / day_folder(RAW, day(3))
    (folder / "more.jsonl").write_text("")
    assert tick(installation, instance)[0] == []


def test_a_day_whose_file_has_changed_is_asked_for_again_with_another_run_key(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, 3)
    before = keys(installation, instance)
    _, cursor, _ = tick(installation, instance)
    put(installation, 3, users=2)
    assert tick(installation, instance, cursor)[0] == names(3)
    after = keys(installation, instance)
    assert len(before) == len(after) == 1
    assert before != after


def test_the_run_that_is_asked_for_is_one_that_the_job_can_do(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, 0)
    (asked,), cursor, _ = tick(installation, instance)
    job = installation.defs.resolve_job_def("daily_predictions")
    result = job.execute_in_process(partition_key=asked, instance=instance)
    assert result.success
    # It is used now, so that even a lost cursor asks for nothing.
    assert tick(installation, instance, cursor)[0] == []
    assert tick(installation, instance, None)[0] == []
    assert list(installation.delivered()) == [day(0)]


@pytest.mark.parametrize("cursor", [None, "", "{", "[]", "7", '"text"', "\x00"])
def test_a_lost_or_broken_cursor_runs_nothing_again_that_was_used(
    installation: Installation, instance: dg.DagsterInstance, cursor: str | None
) -> None:
    put(installation, 3)
    installation.run(day(3), assets=["user_activity"])
    assert tick(installation, instance, cursor)[0] == []
    put(installation, 4)
    assert tick(installation, instance, cursor)[0] == names(4)


def test_a_used_day_is_asked_for_again_when_a_file_is_added(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, 3)
    installation.run(day(3), assets=["user_activity"])
    more = installation.settings.lake / day_folder(RAW, day(3)) / "more.jsonl"
    more.write_text(event(9, f"{day(3)}T13:00:00Z") + "\n")
    os.utime(more, (LONG_AGO, LONG_AGO))
    assert tick(installation, instance)[0] == names(3)


def test_a_day_without_a_partition_is_held_and_the_others_run(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, -1)
    put(installation, 2)
    put(installation, 40)  # the game ends on day 39
    asked, cursor, _ = tick(installation, instance)
    assert asked == names(2)
    assert tick(installation, instance, cursor)[0] == []


def test_a_folder_that_names_no_day_is_nobodys_business(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    put(installation, 2)
    raw = installation.settings.lake / RAW
    for name in ("dt=today", "notes", "dt=2026-13-01"):
        (raw / name).mkdir()
        (raw / name / "events.jsonl").write_text("")
    (raw / f"dt={day(5)}").mkdir()
    assert tick(installation, instance)[0] == names(2)


def test_a_manifest_alone_is_no_raw_file(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    installation.lake.write(f"{day_folder(RAW, day(3))}/_manifest.json", b"{}")
    assert tick(installation, instance)[0] == []


def test_a_copy_that_changes_nothing_asks_for_nothing(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    source = FolderLogSource(installation.settings.source, installation.game.logs.path)
    installation.write_logs(day(3), event(1, f"{day(3)}T12:00:00Z"))
    copy_day(day(3), source, installation.lake, print)
    installation.run(day(3), assets=["user_activity"])
    before = fingerprint(raw_objects(day(3), installation.lake))
    copy_day(day(3), source, installation.lake, print)
    assert fingerprint(raw_objects(day(3), installation.lake)) == before
    assert tick(installation, instance)[0] == []


def test_many_new_days_are_asked_for_a_few_a_tick_the_oldest_first(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    for number in reversed(range(MOST_RUNS_A_TICK + 2)):
        put(installation, number)
    first, cursor, _ = tick(installation, instance)
    second, cursor, _ = tick(installation, instance, cursor)
    third, _, _ = tick(installation, instance, cursor)
    assert first == names(*range(MOST_RUNS_A_TICK))
    assert second == names(MOST_RUNS_A_TICK, MOST_RUNS_A_TICK + 1)
    assert third == []


def test_the_sensor_runs_without_being_switched_on(installation: Installation) -> None:
    sensor = raw_files_sensor(installation.game)
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


@pytest.mark.parametrize(
    ("cursor", "read"),
    [
        (None, {}),
        ('{"2026-01-01": "a"}', {"2026-01-01": "a"}),
        ('{"2026-01-01": 7}', {"2026-01-01": "7"}),
        ("{", {}),
        ("[1]", {}),
    ],
)
def test_a_cursor_is_read_as_far_as_it_makes_sense(
    cursor: str | None, read: dict[str, str]
) -> None:
    assert read_cursor(cursor) == read


prints = st.sampled_from(["a", "b", "c"])
raw_days = st.lists(
    st.builds(
        RawDay,
        day=st.integers(0, 9).map(day),
        fingerprint=prints,
        used=st.none() | prints,
        asked=st.none() | prints,
        newest=st.integers(-200, 200).map(lambda seconds: NOW + dt.timedelta(seconds=seconds)),
    ),
    unique_by=lambda one: one.day,
)


@given(days=raw_days, partitions=st.sets(st.integers(0, 9).map(day)))
def test_a_day_is_chosen_if_and_only_if_it_is_known_settled_and_neither_used_nor_asked_for(
    days: list[RawDay], partitions: set[dt.date]
) -> None:
    found = days_to_run(days, partitions, NOW)
    assert found == sorted(found, key=lambda one: one.day)
    for one in days:
        new = not {one.fingerprint} & {one.used, one.asked}
        settled = one.newest <= NOW - SETTLED_AFTER
        assert (one in found) == (new and settled and one.day in partitions)


@given(days=raw_days, partitions=st.sets(st.integers(0, 9).map(day)))
def test_what_was_asked_for_is_not_asked_for_twice(
    days: list[RawDay], partitions: set[dt.date]
) -> None:
    asked = {one.day: one.fingerprint for one in days_to_run(days, partitions, NOW)}
    later = [
        RawDay(one.day, one.fingerprint, one.used, asked.get(one.day, one.asked), one.newest)
        for one in days
    ]
    again = days_to_run(later, partitions, NOW)
    assert not {one.day for one in again} & set(asked)
