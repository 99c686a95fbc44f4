"""The outcome of each line of a day, for a game whose logs have every kind of defect."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from ds_assets.core.activity_report import ActivityReport, TypeLines
from ds_assets.errors import InputError
from ds_assets.infra.lake.activity_reports import read_report
from ds_assets.simulate import SimulationSummary
from ds_assets_tests.assets.factories import (
    START,
    Installation,
    day,
    event,
    make_installation,
    make_played,
)
from ds_assets_tests.core.test_zip_archives import make_zip

DAYS = 12
FIRST_TWO = ("raw_logs", "user_activity")
MESS: dict[str, Any] = {
    "broken": 0.02,
    "duplicates": 0.05,
    "late": 0.05,
    "skewed": 0.02,
    "unknown_types": 0.05,
    "new_fields": True,
}

Messy = tuple[Installation, SimulationSummary]


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Messy:
    home = tmp_path_factory.mktemp("messy") / "home"
    installation, summary = make_played(home, users=300, days=DAYS, seed=7, **MESS)
    installation.run(START, day(DAYS - 1), FIRST_TWO)
    return installation, summary


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return make_installation(tmp_path)


def reports(messy: Messy) -> list[ActivityReport]:
    day_reports = [read_report(day(number), messy[0].lake) for number in range(DAYS)]
    return [day_report for day_report in day_reports if day_report is not None]


def report(installation: Installation, number: int = 0) -> ActivityReport:
    installation.run(day(number), assets=FIRST_TWO)
    day_report = read_report(day(number), installation.lake)
    assert day_report is not None
    return day_report


def quarantine(installation: Installation, number: int = 0) -> list[dict[str, object]]:
    file = installation.lake.local(f"quarantine/dt={day(number)}/quarantine.parquet")
    return list(parquet.read_table(file, partitioning=None).to_pylist())


@pytest.mark.slow
def test_every_line_of_a_day_is_an_event_a_duplicate_or_in_quarantine(messy: Messy) -> None:
    day_reports = reports(messy)
    assert len(day_reports) == DAYS
    for day_report in day_reports:
        assert day_report.lines == day_report.events + day_report.duplicates + sum(
            day_report.quarantined.values()
        )
    assert sum(day_report.lines for day_report in day_reports) == messy[1].lines


def test_the_counts_are_what_was_put_into_the_logs(messy: Messy) -> None:
    day_reports, injected = reports(messy), messy[1].injected
    assert sum(day_report.duplicates for day_report in day_reports) == injected.duplicates > 0
    assert sum(day_report.late_events for day_report in day_reports) == injected.late > 0
    quarantined = sum(sum(day_report.quarantined.values()) for day_report in day_reports)
    assert quarantined == injected.broken + injected.skewed_beyond
    reasons = {reason for day_report in day_reports for reason in day_report.quarantined}
    by_reason = {
        reason: sum(day_report.quarantined.get(reason, 0) for day_report in day_reports)
        for reason in reasons
    }
    assert by_reason["dated after its arrival day"] == injected.skewed_beyond > 0
    assert by_reason["no time"] == injected.broken_no_time > 0
    assert by_reason["not JSON"] == injected.broken_truncated > 0
    assert by_reason["an impossible time"] == injected.broken_garbage_time > 0


def test_the_stored_rows_hold_all_events_and_the_quarantine_all_other_lines(messy: Messy) -> None:
    for day_report in reports(messy):
        file = messy[0].lake.local(f"user_activity/dt={day_report.day}/user_activity.parquet")
        rows = parquet.read_table(file, partitioning=None)
        assert sum(rows["events"].to_pylist()) == day_report.events
        assert (rows.num_rows, len(set(rows["user_id"].to_pylist()))) == (
            day_report.rows,
            day_report.users,
        )
        bad = messy[0].lake.local(f"quarantine/dt={day_report.day}/quarantine.parquet")
        assert parquet.read_metadata(bad).num_rows == sum(day_report.quarantined.values())


@pytest.mark.slow
def test_a_second_run_gives_the_same_bytes(messy: Messy, tmp_path: Path) -> None:
    installation = messy[0].copy(tmp_path)
    files = sorted((installation.settings.lake / "user_activity").rglob("*.parquet"))
    before = {path: path.read_bytes() for path in files}
    installation.run(day(3), day(5), FIRST_TWO)
    assert {path: path.read_bytes() for path in files} == before


@pytest.mark.slow
def test_a_file_that_breaks_off_gives_what_it_holds_and_is_named_in_quarantine(
    installation: Installation,
) -> None:
    lines = "".join(f"{event(n, f'{START}T10:00:00Z', f'u{n}')}\n" for n in range(20_000))
    whole = gzip.compress(lines.encode())
    folder = installation.source(START)
    folder.mkdir(parents=True)
    (folder / "a.jsonl.gz").write_bytes(whole)
    (folder / "b.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    day_report = report(installation)
    assert day_report.files == 2
    named = [row for row in quarantine(installation) if row["line"] is None]
    assert [row["file"] for row in named] == ["b.jsonl.gz"]
    # All of the whole file; and of the other what came before the break, which repeats it.
    assert day_report.events == 20_000
    assert 0 < day_report.duplicates < 20_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        lambda whole: b"7z\xbc\xaf\x27\x1c" + whole,
        lambda whole: b"\x1f\x8b" + whole[::-1],
        lambda whole: whole[::2] + whole[1::2],
    ],
    ids=["another format", "not what it seems", "garbled"],
)
def test_files_that_cannot_be_read_weigh_as_the_lines_that_they_probably_hold(
    installation: Installation, content: Callable[[bytes], bytes]
) -> None:
    def log(file: int) -> bytes:
        numbers = range(1_000 * file, 1_000 * (file + 1))
        users = {n: f"u{zlib.crc32(b'%d' % n)}" for n in numbers}
        lines = (event(n, f"{START}T10:00:00Z", user) for n, user in users.items())
        return gzip.compress("\n".join(lines).encode())

    folder = installation.source(START)
    folder.mkdir(parents=True)
    lost = content(log(2))
    for name, file in {"a.jsonl.gz": log(0), "b.jsonl.gz": log(1), "c.jsonl.gz": lost}.items():
        (folder / name).write_bytes(file)
    sentence = rf"1 files that cannot be read \({len(lost):,} bytes, about .* lines: c.jsonl.gz\)"
    with pytest.raises(InputError, match=sentence):
        installation.run(START, assets=FIRST_TWO)
    day_report = read_report(START, installation.lake)
    assert day_report is not None
    assert day_report.events == 2_000
    assert [(file.name, file.size) for file in day_report.unreadable] == [("c.jsonl.gz", len(lost))]
    assert 900 < day_report.unreadable[0].lost_lines + sum(day_report.quarantined.values()) < 1_100
    assert 0.28 < day_report.quarantined_share < 0.38


@pytest.mark.slow
def test_a_damaged_log_in_an_archive_counts_for_the_archive(installation: Installation) -> None:
    lines = ["\n".join(event(n, f"{START}T10:00:00Z", f"u{n}") for n in range(900))] * 2
    folder = installation.source(START)
    folder.mkdir(parents=True)
    members = {"a.jsonl": lines[0].encode(), "b.jsonl.gz": gzip.compress(lines[1].encode())[:-400]}
    (folder / "day.zip").write_bytes(make_zip(members))
    day_report = report(installation)
    assert day_report.events == 900
    assert [row["file"] for row in quarantine(installation)] == ["day.zip/b.jsonl.gz"]
    assert [file.name for file in day_report.unreadable] == ["day.zip"]


@pytest.mark.slow
def test_a_file_that_is_no_archive_at_all_stops_the_day_with_a_sentence(
    installation: Installation,
) -> None:
    folder = installation.source(START)
    folder.mkdir(parents=True)
    (folder / "a.jsonl.gz").write_bytes(b"this was never compressed\n" * 5)
    with pytest.raises(InputError, match=f"user_activity: {START}: no valid events"):
        installation.run(START, assets=FIRST_TWO)
    assert quarantine(installation)


@pytest.mark.slow
def test_a_number_is_one_user_in_files_that_write_it_differently(
    installation: Installation,
) -> None:
    users = ("123", "123.0", "1.23e2", '"123.0"', "null", '"nan"')
    lines = [event(n, f"{START}T10:00:00Z") for n in range(50)]
    for n, user in enumerate(users):
        lines[n] = lines[n].replace('"u1"', user)
    installation.write_logs(START, *lines)
    day_report = report(installation)
    assert (day_report.users, day_report.quarantined) == (2, {"no user id": 2})
    assert day_report.changed_user_ids == 3


@pytest.mark.slow
def test_a_day_that_loses_its_few_purchases_is_refused_with_their_type_and_reason(
    installation: Installation,
) -> None:
    visits = [event(n, f"{START}T10:00:00Z", f"u{n}") for n in range(190)]
    purchases = [event(n, "yesterday", f"u{n}", "purchase") for n in range(200, 208)]
    installation.write_logs(START, *visits, *purchases)
    sentence = "8 of 8 lines of the type purchase are in quarantine, most often: an impossible time"
    with pytest.raises(InputError, match=sentence):
        installation.run(START, assets=FIRST_TWO)
    day_report = read_report(START, installation.lake)
    assert day_report is not None
    assert day_report.quarantined_share < 0.05
    assert day_report.quarantined_types == {
        "purchase": TypeLines(lines=8, quarantined={"an impossible time": 8})
    }


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Asia/Seoul", "America/New_York"])
def test_a_time_at_an_end_of_the_range_is_a_line_in_quarantine_and_stops_no_day(
    zone: str, tmp_path: Path
) -> None:
    installation = make_installation(tmp_path, time_zone=zone)
    lines = [event(n, f"{START}T20:00:00") for n in range(50)]
    poison = [event(50, "294247-01-10T04:00:54Z"), event(51, "290309-12-22 (BC) 00:00:00+00")]
    installation.write_logs(START, *lines, *poison)
    day_report = report(installation)
    assert (day_report.events, sum(day_report.quarantined.values())) == (50, 2)


@pytest.mark.slow
def test_a_day_that_was_exported_again_under_other_names_counts_once_and_says_so(
    installation: Installation,
) -> None:
    lines = [event(n, f"{START}T10:00:00Z", f"u{n}", "purchase") for n in range(3)]
    before = installation.write_logs(START, *lines, name="part-0000-aaaa.jsonl")
    first = report(installation)
    before.unlink()
    installation.write_logs(START, *lines, name="part-0000-bbbb.jsonl")
    for _ in range(2):
        second = report(installation)
        assert (second.events, second.duplicates, second.users) == (3, 0, 3)
        assert (second.files, second.gone_files) == (1, 1)
    assert (first.events, first.gone_files) == (3, 0)
    assert second.raw_fingerprint != first.raw_fingerprint


@pytest.mark.slow
def test_files_in_working_folders_and_half_written_files_are_no_events(
    installation: Installation,
) -> None:
    lines = [event(n, f"{START}T10:00:00Z", f"u{n}", "purchase") for n in range(3)]
    log = installation.write_logs(START, *lines, name="part-0.jsonl")
    for name in (
        "_temporary/0/part-0.jsonl",
        "_delta_log/00000000000000000000.json",
        ".ipynb_checkpoints/part-0-checkpoint.jsonl",
        "part-0.jsonl._COPYING_",
    ):
        copy = log.parent / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(log.read_bytes())
    day_report = report(installation)
    assert (day_report.files, day_report.lines, day_report.events) == (1, 3, 3)
    assert (day_report.users, day_report.duplicates, day_report.quarantined) == (3, 0, {})


@pytest.mark.slow
def test_ids_that_are_unique_within_a_user_drop_no_event_of_another_user(
    installation: Installation,
) -> None:
    users = ("alice", "bob", "carol")
    lines = [event(1, f"{START}T10:00:00Z", user, "purchase") for user in users]
    installation.write_logs(START, *lines)
    day_report = report(installation)
    assert (day_report.users, day_report.events, day_report.duplicates) == (3, 3, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("days", "duplicates"), [(None, 1), (2, 1), (1, 0)])
def test_an_event_that_arrives_again_on_another_day_counts_once(
    days: int | None, duplicates: int, tmp_path: Path
) -> None:
    logs = {} if days is None else {"duplicate_days": days}
    installation = make_installation(tmp_path, logs=logs)
    purchase = event(1, f"{START}T23:59:00Z", "alice", "purchase")
    installation.write_logs(day(0), purchase)
    installation.write_logs(day(1), event(2, f"{day(1)}T10:00:00Z"))
    installation.write_logs(day(2), purchase, event(3, f"{day(2)}T10:00:00Z"))
    installation.run(START, day(2), FIRST_TWO)
    for number in (0, 2, 0):  # also if days are made again, each alone
        assert report(installation, number).duplicates == (duplicates if number else 0)
    day_report = read_report(day(2), installation.lake)
    assert day_report is not None
    assert day_report.events == 2 - duplicates


@pytest.mark.slow
def test_a_day_whose_events_change_names_the_later_days_that_repeat_them(
    installation: Installation,
) -> None:
    shared, own = event(1, f"{START}T23:59:00Z"), event(2, f"{START}T10:00:00Z")
    installation.write_logs(day(0), own)
    installation.write_logs(day(1), event(3, f"{day(1)}T10:00:00Z"))
    installation.write_logs(day(2), shared, event(4, f"{day(2)}T10:00:00Z"))
    installation.run(START, day(2), FIRST_TWO)
    assert report(installation).days_to_run_again == ()
    installation.write_logs(day(0), own, shared)
    assert report(installation).days_to_run_again == (day(2),)
    assert report(installation, 2).duplicates == 1
    assert report(installation).days_to_run_again == ()
    installation.write_logs(day(0), own)
    assert report(installation).days_to_run_again == (day(2),)


@pytest.mark.slow
def test_lines_that_are_left_out_by_a_rule_are_counted_and_are_no_fault(tmp_path: Path) -> None:
    rules = [
        {"field": "type", "values": ["identify", "page"]},
        {"field": "context.environment", "values": ["test"]},
        {"field": "is_bot", "values": [True]},
    ]
    installation = make_installation(tmp_path, logs={"leave_out": rules})
    ours = event(1, f"{START}T10:00:00Z")
    lines = [ours, *(event(n, f"{START}T11:00:00Z", kind="identify") for n in range(2, 9))]
    tested = '{"type": "session_start", "context": {"environment": "test"}}'
    bot = '{"ts": "never", "type": "session_start", "user": {"id": "u1"}, "is_bot": true}'
    page = '{"type": "page", "anonymous": "a1"}'
    installation.write_logs(START, *lines, *[page] * 20, tested, bot)
    of_day = report(installation)
    assert (of_day.lines, of_day.events, of_day.users, of_day.left_out_lines) == (1, 1, 1, 29)
    assert (of_day.duplicates, of_day.quarantined, of_day.quarantined_share) == (0, {}, 0.0)
    assert quarantine(installation) == []


@pytest.mark.slow
def test_a_line_that_cannot_be_parsed_is_not_left_out_by_a_rule(tmp_path: Path) -> None:
    rules = [{"field": "type", "values": ["page"]}]
    installation = make_installation(
        tmp_path, logs={"leave_out": rules}, checks={"max_quarantined_share": 1.0}
    )
    installation.write_logs(START, event(1, f"{START}T10:00:00Z"), '{"type": "page"')
    of_day = report(installation)
    assert (of_day.left_out_lines, of_day.quarantined) == (0, {"not JSON": 1})


@pytest.mark.slow
def test_texts_that_are_cut_are_counted(installation: Installation) -> None:
    long = '"user": {"id": "u1", "country": "' + "X" * 300 + '"}'
    lines = [event(n, f"{START}T10:00:00Z") for n in range(3)]
    installation.write_logs(START, *lines[:2], lines[2].replace('"user": {"id": "u1"}', long))
    assert report(installation).cut_texts == 1


@pytest.mark.slow
def test_blank_lines_count_as_nothing(installation: Installation) -> None:
    installation.write_logs(START, "", event(1, f"{START}T10:00:00Z"), "   ", "")
    day_report = report(installation)
    assert (day_report.lines, day_report.events, day_report.quarantined) == (1, 1, {})


@pytest.mark.slow
def test_an_empty_file_is_a_day_without_lines(tmp_path: Path) -> None:
    installation = make_installation(tmp_path, closed_days=[START])
    installation.write_logs(START)
    day_report = report(installation)
    assert (day_report.files, day_report.lines, day_report.events, day_report.rows) == (1, 0, 0, 0)
    assert day_report.quarantined_share == 0.0


@pytest.mark.slow
def test_an_event_that_is_in_two_files_of_a_day_counts_once(installation: Installation) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        installation.write_logs(START, event(1, f"{START}T10:00:00Z"), name=name)
    day_report = report(installation)
    assert (day_report.lines, day_report.events, day_report.duplicates) == (2, 1, 1)


def test_what_is_left_of_a_day_without_raw_files_is_a_failure_that_says_so(
    installation: Installation,
) -> None:
    with pytest.raises(InputError, match=rf"{START}: there are no raw files in .*/lake/raw"):
        installation.run(START, assets=["user_activity"])
