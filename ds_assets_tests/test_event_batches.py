"""Events of runs, stored together."""

import logging
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from dagster._core.storage.event_log import SqliteEventLogStorage

from ds_assets.event_batches import BatchedEventLog, store_in_batches

ASSET, RUN = dg.AssetKey("raw_logs"), "run"


def _plan(day: str) -> dg.EventLogEntry:
    data = AssetMaterializationPlannedData(ASSET, partition=day, partitions_subset=None)
    event = DagsterEvent.build_asset_materialization_planned_event("job", "step", data)
    return dg.EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None,
        user_message="",
        level=logging.DEBUG,
        run_id=RUN,
        timestamp=0.0,
        step_key="step",
        job_name="job",
        dagster_event=event,
    )


def test_a_batch_is_stored_in_the_log_of_the_run_and_in_that_of_the_assets(tmp_path: Path) -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    BatchedEventLog(str(tmp_path)).store_event_batch([_plan(day) for day in days])
    dagsters_own = SqliteEventLogStorage(str(tmp_path))
    planned = [entry.get_dagster_event().partition for entry in dagsters_own.get_logs_for_run(RUN)]
    assert planned == days
    assert dagsters_own.has_asset_key(ASSET)


def test_a_batch_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = BatchedEventLog(str(tmp_path))
    store = SqliteEventLogStorage.store_event

    def fail_at_the_second(self: SqliteEventLogStorage, event: dg.EventLogEntry) -> None:
        if event.get_dagster_event().partition == "2026-01-02":
            raise OSError("disk full")
        store(self, event)

    monkeypatch.setattr(SqliteEventLogStorage, "store_event", fail_at_the_second)
    with pytest.raises(OSError, match="disk full"):
        log.store_event_batch([_plan("2026-01-01"), _plan("2026-01-02")])
    assert log.get_logs_for_run(RUN) == []
    assert not log.has_asset_key(ASSET)
    log.store_event_batch([_plan("2026-01-03")])
    assert len(log.get_logs_for_run(RUN)) == 1


def test_an_instance_with_files_stores_batches_and_another_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "7")
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        store_in_batches(instance)
        assert isinstance(instance.event_log_storage, BatchedEventLog)
    with dg.DagsterInstance.ephemeral() as instance:
        before = instance.event_log_storage
        store_in_batches(instance)
        assert instance.event_log_storage is before
