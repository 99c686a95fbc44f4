"""Where an installation stands, read from what is stored and from Dagster's runs."""

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from ds_assets.cli.standing import read_status
from ds_assets.core.day_status import DayStatus, Status
from ds_assets.core.provenance import Provenance
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.provenance import store_record
from ds_assets.runs import create_dagster_home
from ds_assets_tests.assets.factories import (
    START,
    Installation,
    change_game,
    day,
    event,
    make_installation,
)
from ds_assets_tests.infra.lake.lakes import make_blob_lake

NOW = dt.datetime(2026, 1, 6, 12, tzinfo=dt.UTC)
COLLECTED = ("raw_logs", "user_activity")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Logs of four days in the source, of which the third is missing."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    installation = make_installation(tmp_path / "home", last_day="2026-01-05")
    for number in (0, 1, 3, 4):
        installation.write_logs(day(number), event(number, f"{day(number)}T10:00:00Z"))
    return installation


@pytest.fixture
def instance(installation: Installation) -> Iterator[dg.DagsterInstance]:
    """The instance of the installation's own home of Dagster."""
    home = create_dagster_home(installation.home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def status_of(installation: Installation, now: dt.datetime = NOW) -> Status:
    return read_status(installation.installed, now)


def by_day(status: Status) -> dict[dt.date, DayStatus]:
    return {it.day: it for it in status.days}


def test_an_empty_home_names_the_first_commands_and_nothing_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    installation = make_installation(tmp_path / "home")
    before = sorted(installation.home.rglob("*"))
    status = status_of(installation)
    assert status.needs_a_person
    assert status.next[0].endswith(f"{installation.source(installation.game.last_day or START)}")
    assert [text.split("`")[1] for text in status.next[1:]] == [
        "ds-assets check",
        "ds-assets run --last",
    ]
    assert sorted(installation.home.rglob("*")) == before


@pytest.mark.slow
def test_each_day_says_where_its_logs_are_and_what_is_stored_of_it(
    installation: Installation,
) -> None:
    installation.run(START, day(1), COLLECTED)
    status = status_of(installation)
    assert [(it.day, it.logs, it.activity) for it in status.days] == [
        (day(0), "collected", "stored"),
        (day(1), "collected", "stored"),
        (day(2), "missing", "none"),
        (day(3), "in_source", "none"),
        (day(4), "in_source", "none"),
    ]
    assert "there are no logs of 2026-01-03" in status.attention[0]
    assert "`ds-assets run 2026-01-04 2026-01-05` would make 2 days" in "".join(status.next)


@pytest.mark.server
def test_a_lake_in_azure_blob_is_read_like_a_folder(
    installation: Installation, blob_url: str, tmp_path: Path
) -> None:
    address = str(make_blob_lake(blob_url, tmp_path))
    in_cloud = Installation(installation.home, {"lake_url": address})
    for it in (installation, in_cloud):
        it.run(START, day(1), COLLECTED)
    status = status_of(in_cloud)
    assert by_day(status)[day(1)].activity == "stored"
    assert status == status_of(installation)


def test_a_day_waits_for_files_of_each_kind(tmp_path: Path) -> None:
    kinds = {"sessions": {"files": "sessions*"}, "revenue": {"files": "revenue*"}}
    installation = make_installation(tmp_path / "kinds", logs={"kinds": kinds})
    installation.write_logs(START, name="sessions.jsonl")
    waits = "until its folder in the source has files of revenue (revenue*)"
    assert by_day(status_of(installation))[START].note == waits
    installation.write_logs(START, name="revenue.jsonl")
    assert by_day(status_of(installation))[START].note == ""


def test_a_closed_day_is_no_gap(installation: Installation) -> None:
    closed = change_game(installation, {"closed_days": ["2026-01-03"]})
    status = status_of(Installation(closed.home))
    assert by_day(status)[day(2)].logs == "closed"
    assert not status.needs_a_person


def test_a_refused_day_is_shown_with_its_reason_and_needs_a_person_until_one_decides(
    installation: Installation,
) -> None:
    installation.write_logs(day(0), "no JSON")
    with pytest.raises(InputError):
        installation.run(START, assets=COLLECTED)
    status = status_of(installation)
    refused = by_day(status)[day(0)]
    assert (refused.activity, refused.awaits_decision) == ("refused", True)
    assert refused.reason.startswith("refused by the checks: no valid events")
    assert any("2026-01-01 is refused by the checks" in text for text in status.attention)
    decide_by_operator(
        day(0), Decision.REFUSED, "a test", "me", installation.lake, installation.game
    )
    decided = status_of(installation)
    assert by_day(decided)[day(0)].reason == "refused by me: a test"
    assert not any("2026-01-01 is refused" in text for text in decided.attention)


@pytest.mark.slow
def test_a_day_whose_run_has_failed_says_why(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    assert by_day(status_of(installation))[day(2)].run is None
    with pytest.raises(InputError):
        installation.run(day(2), assets=COLLECTED, instance=instance)
    failed = by_day(status_of(installation))[day(2)]
    assert failed.run == "failed"
    assert failed.error.startswith("2026-01-03: there are no log files in ")


@pytest.mark.slow
def test_a_results_database_that_is_down_is_named_and_the_rest_is_shown(
    installation: Installation,
) -> None:
    installation.run(START, day(1), COLLECTED)
    delivery = Provenance(asset="rds_results", day=day(0), content="rows", inputs={})
    store_record(delivery, installation.lake)
    lost = "the results database lacks 1 day (2026-01-01)"
    assert any(text.startswith(lost) for text in status_of(installation).attention)
    assert not (installation.home / "results.sqlite").exists()
    url = "mysql+pymysql://user:secret@127.0.0.1:1/results"
    down = Installation(installation.home, {"results_url": url})
    status = status_of(down)
    assert status.days == status_of(installation).days
    (sentence,) = status.unread
    assert sentence.startswith("the results database cannot be read: ")
    assert "secret" not in sentence
    assert status.needs_a_person


@pytest.mark.slow
def test_a_source_that_cannot_be_listed_makes_no_day_missing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation.run(day(1), assets=COLLECTED)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    status = status_of(Installation(installation.home, {"source_url": "s3://logs"}))
    assert [it.logs for it in status.days] == ["unknown", "collected", "unknown"]
    assert status.unread[0].startswith("the log source cannot be read: ")


@pytest.mark.slow
def test_files_that_have_just_arrived_wait_only_for_the_sensor(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    file = installation.source(day(4)) / "events.jsonl"
    arrived = NOW.timestamp() - 5
    os.utime(file, (arrived, arrived))
    assert by_day(status_of(installation))[day(4)].note == ""
    beat(instance, NOW)
    notes = {it.day: it.note for it in status_of(installation).days}
    assert notes[day(4)] == "until its files have not changed for a minute"


def beat(instance: dg.DagsterInstance, now: dt.datetime) -> None:
    """Say that the daemon of the sensors is alive."""
    instance.add_daemon_heartbeat(DaemonHeartbeat(now.timestamp(), "SENSOR", "1", []))
