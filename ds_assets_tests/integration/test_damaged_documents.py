"""Damaged documents in the lake: they count as missing, are named, and are made again."""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dagster as dg
import pytest
from pyarrow import parquet

from ds_assets.core.lineage import lineage_of
from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.tables import EVENT_IDS
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.infra.lake.activity_reports import read_report
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.provenance import FIRST_KEPT_DAYS, Records
from ds_assets.infra.lake.raw_logs import read_manifest
from ds_assets.infra.lake.refresh import read_refresh_request, request_refresh
from ds_assets.infra.lake.tables import read_predictions, table_file
from ds_assets_tests.assets.factories import (
    LAST,
    START,
    WHOLE_GRAPH,
    Installation,
    day,
    event,
    few_pictures,
    finished,
    make_installation,
)
from ds_assets_tests.checksums import checksum_in_any_order

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "garbage": lambda _: bytes(range(256)),
    "a list": lambda _: b"[1, 2]",
    "a text": lambda _: b'"text"',
    "another document": lambda _: b'{"name": "other"}',
}
TABLE_DAMAGES = ("truncated", "empty", "garbage")
FIRST_TWO = ("raw_logs", "user_activity")
REPEATED = event(1, f"{START}T23:59:00Z")
YESTERDAY = LAST - dt.timedelta(days=1)
REFUSED = day(3)


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return finished().copy(tmp_path)


def find_documents(installation: Installation) -> list[str]:
    """Everything in the lake that is neither a log nor a table."""
    folders = ("raw", "user_activity", "models", "provenance", "verdicts", FIRST_KEPT_DAYS)
    names = (item.name for folder in folders for item in installation.lake.objects(folder))
    return [name for name in names if name.endswith((".json", ".onnx"))]


def damage(installation: Installation, name: str, kind: str = "truncated") -> None:
    installation.lake.write(name, DAMAGES[kind](installation.lake.read(name)))


def run_and_list_warnings(
    installation: Installation,
    of_day: dt.date,
    caplog: pytest.LogCaptureFixture,
    assets: Sequence[str] | dg.AssetSelection = WHOLE_GRAPH,
) -> str:
    """Run a day, by default the whole graph. Returns the warnings of the run and the software."""
    with few_pictures(), dg.DagsterInstance.ephemeral() as instance:
        installation.run(of_day, assets=assets, instance=instance)
        (run,) = instance.get_runs()
        entries = [entry.user_message for entry in instance.all_logs(run.run_id)]
    return "\n".join([*entries, *(record.getMessage() for record in caplog.records)])


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_day_is_made_with_every_document_damaged_and_each_that_it_needs_is_named(
    copy: Installation, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    decide_by_operator(REFUSED, Decision.REFUSED, "a test", "me", copy.lake, copy.game)
    for name in find_documents(copy):
        damage(copy, name, kind)
    warnings = run_and_list_warnings(copy, LAST, caplog)
    for name in (
        f"raw/dt={LAST}/_manifest.json",
        f"user_activity/dt={LAST - dt.timedelta(days=7)}/_report.json",
        *(f"models/{it}/dt={YESTERDAY}/card.json" for it in ("clusters", "churn", "payment")),
    ):
        assert name in warnings
    card = stored_card("churn", LAST, ModelCard, copy.lake)
    assert card is not None
    assert card.state == "ready", card.reasons
    assert read_predictions(LAST, copy.lake)["churn_probability"].null_count == 0
    records = open_records(copy.game, copy.lake)
    assert REFUSED in records.refused_days()
    for asset in lineage_of(copy.game):
        assert LAST in records.recorded_days(asset), asset
    assert {it.name for it in read_manifest(LAST, copy.lake).files}


def test_a_damaged_verdict_keeps_its_decision_and_says_that_its_reason_is_lost(
    copy: Installation,
) -> None:
    verdict = decide_by_operator(LAST, Decision.REFUSED, "a test", "me", copy.lake, copy.game)
    damage(copy, f"verdicts/{verdict.name}")
    records = open_records(copy.game, copy.lake)
    assert LAST in records.refused_days()
    damaged = records.verdict(LAST)
    assert damaged is not None
    assert (damaged.decision, damaged.at) == (Decision.REFUSED, verdict.at)
    assert f"verdicts/{verdict.name} cannot be read" in damaged.reason
    assert f"ds-assets accept {LAST}" in damaged.reason
    accepted = decide_by_operator(LAST, Decision.ACCEPTED, "all well", "me", copy.lake, copy.game)
    assert accepted.findings == {}
    assert LAST not in open_records(copy.game, copy.lake).refused_days()


def lose(installation: Installation, name: str) -> None:
    installation.lake.delete([name])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "name", "asset"),
    [
        (damage, f"models/clusters/dt={LAST}/card.json", "clusters"),
        (damage, f"models/churn/dt={LAST}/card.json", "churn_model"),
        (damage, f"models/churn/dt={LAST}/model.onnx", "churn_model"),
        (lose, f"models/churn/dt={LAST}/model.onnx", "churn_model"),
        (damage, table_file("user_features", LAST), "user_features"),
    ],
)
def test_a_days_own_damaged_model_or_table_is_named_and_outdated_so_that_it_is_made_again(
    copy: Installation, harm: Callable[[Installation, str], None], name: str, asset: str
) -> None:
    before = read_predictions(LAST, copy.lake)
    harm(copy, name)
    assert open_records(copy.game, copy.lake).outdated_days(asset) == []
    with pytest.raises(InputError) as caught:
        copy.run(LAST, assets=["predictions"])
    assert name in str(caught.value)
    assert f"{asset} of {LAST} counts as missing" in str(caught.value)
    assert f"`ds-assets run {LAST}`, makes it again" in str(caught.value)
    assert open_records(copy.game, copy.lake).outdated_days(asset) == [LAST]
    copy.run(LAST, assets=[asset, "predictions"])
    assert open_records(copy.game, copy.lake).outdated_days(asset) == []
    after = read_predictions(LAST, copy.lake)
    assert after["churn_probability"].equals(before["churn_probability"])


def sum_up_tables(installation: Installation, of_day: dt.date) -> dict[str, str]:
    """The checksum of every table that is stored of a day, by the name of its file."""
    files = {
        item.name: installation.lake.local(item.name) for item in installation.lake.objects("")
    }
    return {
        name: checksum_in_any_order(parquet.read_table(file, partitioning=None))
        for name, file in files.items()
        if f"/dt={of_day}/" in name and file.suffix == ".parquet"
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of_day", "kind"), [(LAST, "truncated"), (LAST, "empty"), (day(20), "garbage")]
)
def test_one_run_of_a_day_repairs_all_of_its_own_damaged_tables(
    copy: Installation, of_day: dt.date, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = sum_up_tables(copy, of_day)
    assert len(before) >= 8
    for name in before:
        damage(copy, name, kind)
    assert table_file("prediction_outcomes", of_day) in run_and_list_warnings(copy, of_day, caplog)
    assert sum_up_tables(copy, of_day) == before


@pytest.fixture
def repeating(tmp_path: Path) -> Installation:
    """Activity of four days: day 2 repeats an event of day 0, and day 3 comes too late to do so."""
    installation = make_installation(tmp_path, logs={"duplicate_days": 2})
    for number in range(4):
        own = event(10 + number, f"{day(number)}T10:00:00Z")
        installation.write_logs(day(number), own, *([] if number == 1 else [REPEATED]))
    installation.run(day(0), day(3), FIRST_TWO)
    return installation


def count_events(installation: Installation) -> list[int]:
    reports = [read_report(day(number), installation.lake) for number in range(4)]
    return [report.events for report in reports if report is not None]


def outdated_activity(installation: Installation) -> list[dt.date]:
    return open_records(installation.game, installation.lake).outdated_days("user_activity")


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLE_DAMAGES)
def test_a_day_with_damaged_ids_is_made_and_with_it_later_days_whose_duplicates_are_in_doubt(
    repeating: Installation, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert count_events(repeating) == [2, 1, 1, 1]
    damage(repeating, table_file(EVENT_IDS.name, day(0)), kind)
    repeating.write_logs(day(0), event(10, f"{START}T10:00:00Z"))
    assert table_file(EVENT_IDS.name, day(0)) in run_and_list_warnings(
        repeating, day(0), caplog, FIRST_TWO
    )
    assert outdated_activity(repeating) == [day(2)]
    repeating.run(day(2), assets=FIRST_TWO)
    assert count_events(repeating) == [1, 1, 2, 1]
    assert outdated_activity(repeating) == []


@pytest.mark.slow
def test_a_day_that_is_compared_with_damaged_ids_waits_until_they_are_made_again(
    repeating: Installation,
) -> None:
    name = table_file(EVENT_IDS.name, day(0))
    damage(repeating, name)
    with pytest.raises(InputError, match=f"{name} .*; user_activity of {day(0)} counts as missing"):
        repeating.run(day(2), assets=FIRST_TWO)
    assert day(0) in outdated_activity(repeating)
    repeating.run(day(0), assets=FIRST_TWO)
    repeating.run(day(2), assets=FIRST_TWO)
    assert count_events(repeating) == [2, 1, 1, 1]
    assert outdated_activity(repeating) == []


@pytest.mark.slow
def test_days_whose_ids_are_all_damaged_are_made_again_one_after_the_other(
    repeating: Installation,
) -> None:
    for number in range(4):
        damage(repeating, table_file(EVENT_IDS.name, day(number)))
    repeating.run(day(0), assets=FIRST_TWO)
    while outdated := outdated_activity(repeating):
        repeating.run(outdated[0], assets=FIRST_TWO)
    repeating.run(day(3), assets=FIRST_TWO)
    assert count_events(repeating) == [2, 1, 1, 1]


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    with caplog.at_level(logging.WARNING, "ds_assets"):
        yield lambda: "\n".join(record.getMessage() for record in caplog.records)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_goes_with_a_warning_when_it_would_be_changed(
    copy: Installation, kind: str, warnings: Callable[[], str]
) -> None:
    (name,) = (
        it.name for it in copy.lake.objects("provenance/user_activity") if str(LAST) in it.name
    )
    damage(copy, name, kind)
    records = Records(lineage_of(copy.game), copy.lake)
    assert records.read("user_activity", LAST) is None
    assert name in warnings()
    records.mark_again("user_activity", [LAST], "a test")
    assert open_records(copy.game, copy.lake).outdated_days("user_activity") == [LAST]


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGES)
def test_small_damaged_documents_count_as_missing_with_a_warning(
    copy: Installation, kind: str, warnings: Callable[[], str]
) -> None:
    request_refresh(copy.game, "me", copy.lake)
    copy.lake.write(FIRST_KEPT_DAYS, b'{"tables": "2026-01-02"}')
    names = ("provenance/refresh.json", "provenance/adopted.json", FIRST_KEPT_DAYS)
    for name in names:
        damage(copy, name, kind)
    assert read_refresh_request(copy.game, copy.lake) is None
    records = open_records(copy.game, copy.lake)
    assert records.outdated_days("predictions") == []
    assert records.first_kept_day == dt.date.min
    for name in names:
        assert name in warnings() or kind == "another document"


@pytest.mark.slow
def test_a_damaged_manifest_makes_no_event_count_twice(copy: Installation) -> None:
    """A file that had left the source stays gone, though the manifest that said so is lost."""
    files = sorted(copy.source(LAST).glob("*.jsonl*"))
    files[0].rename(files[0].with_name(f"renamed-{files[0].name}"))
    copy.run(LAST, assets=["raw_logs", "user_activity"])
    gone = [file.name for file in read_manifest(LAST, copy.lake).gone]
    before = read_report(LAST, copy.lake)
    damage(copy, f"raw/dt={LAST}/_manifest.json", "garbage")
    copy.run(LAST, assets=["raw_logs", "user_activity"])
    assert [file.name for file in read_manifest(LAST, copy.lake).gone] == gone == [files[0].name]
    after = read_report(LAST, copy.lake)
    assert before is not None
    assert after is not None
    assert after.gone_files == 1
    assert (after.events, after.lines, after.files) == (before.events, before.lines, before.files)


@pytest.mark.slow
def test_days_without_a_readable_report_are_not_compared_with(
    copy: Installation, warnings: Callable[[], str]
) -> None:
    damage(copy, f"user_activity/dt={day(20)}/_report.json")
    assert read_report(day(20), copy.lake) is None
    assert f"user_activity/dt={day(20)}/_report.json" in warnings()
    assert "user_activity of that day is materialized again" in warnings()
