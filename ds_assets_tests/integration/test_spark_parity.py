"""The same logs through DuckDB, through Spark in the process, and through Spark Connect."""

import datetime as dt
import gzip
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from backports import zstd
from pyarrow import parquet

from ds_assets.assets import cohorts, predictions, user_activity, user_features
from ds_assets.closed_days import ClosedDays, read_closed_days
from ds_assets.core import features, labels, lifetimes
from ds_assets.core.game_tables import stored_activity_table, user_activity_table
from ds_assets.core.open_days import open_days_between
from ds_assets.game import Game
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.spark import SparkEngine, open_spark
from ds_assets.infra.lake.activity_reports import read_report
from ds_assets.infra.lake.base import day_folder
from ds_assets.infra.lake.raw_logs import RAW
from ds_assets.infra.lake.tables import stored_days, table_file
from ds_assets.local_servers.spark_connect import SparkConnectServer
from ds_assets.simulate.lines import user_ids
from ds_assets_tests.assets.factories import (
    QUICK,
    START,
    Installation,
    day,
    event,
    make_played,
)
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.core.test_zip_archives import make_zip
from ds_assets_tests.spark import HEAP_MB, MASTER, local_session, spark_defaults

pytestmark = [pytest.mark.slow, pytest.mark.server]

DAYS, USERS_PLAYED = 28, 350
NEWEST = 2
"""Days whose users are described and predicted; what an engine does is the same for each."""

LAST = day(DAYS - 1)
WITHOUT_LOGS = day(12)
MESSY_DAY = day(6)
PROMOTED = day(18)
"""A day that is predicted too: the outcomes of its promotions are known on the last day."""
SEEN = day(19)
TABLES = (
    *("user_activity", "quarantine", "user_features", "cohorts"),
    *("target_predictions", "predictions"),
)
OF_PROMOTIONS = (
    *("user_effects", "promotions"),
    *("promotion_changes", "promotion_offers", "promotion_shown"),
    *("promotion_outcomes", "promotion_results"),
)
HISTORY = ("raw_logs", "user_activity", "user_lifetimes", "user_features", "cohorts")
PREDICTED = ("clusters", "churn_model", "payment_model", "spend_5_model", "predictions")
DELIVERED = (
    *("cluster_profiles", "effect_models", "user_effects"),
    *("promotions", "promotion_changes", "promotion_shown", "rds_results"),
)
MESS: dict[str, Any] = {
    "broken": 0.01,
    "duplicates": 0.05,
    "late": 0.05,
    "skewed": 0.02,
    "unknown_types": 0.05,
    "new_fields": True,
    "missing_days": (WITHOUT_LOGS,),
}
RULES: dict[str, Any] = {
    "grace_days": 0,
    "horizons": QUICK["horizons"] | {"spend": [5]},
    "closed_days": [WITHOUT_LOGS, day(20), day(22)],
    "logs": {"leave_out": [{"field": "user.id", "values": ["cut7", "cut8", 7]}]},
    "events": {**QUICK["events"], "refunds": ["ad_view"], "promotion_shown": ["offer_shown"]},
    "fields": {
        "user_id": "user.id",
        "event_time": "ts",
        "event_type": "type",
        "event_id": "id",
        "amount": "amount",
        "promotion": "offer",
    },
    "promotions": {
        "bundle": {
            "who": "churn_probability > 0.05 and coalesce(spend_14d, 0) < 50",
            "control": "40%",
            "until": str(PROMOTED),
            "detects": "40%",
        },
        "gift": {
            "who": "last_country in (KR, JP) or sum_minutes_7d / active_days_7d > 20",
            "value": {"cost": 0.5},
            "as_before": {"offer": "old_gift", "share": "30%"},
            "priority": 1,
            "per_day": 20,
            "group": "gifts",
        },
        "late_gift": {"who": "lower(cluster_name) <> 'typical'", "group": "gifts"},
    },
    "holdout": "10%",
}
AMOUNTS = ("0.1234565", "1.0000005", "1e15", "1e400", "-0.0", "1e-9", '"7"', "true", "null", "[]")
TIMES = (
    *("2026-01-07T10:00:00", "2026-01-07T23:59:59.999999Z", "2026-01-07T01:00:00+09:00"),
    *("2026-01-06 12:00", "1999-12-31T00:00:00Z", "2026-01-08T00:05:00Z", "2026-01-08T00:30:00Z"),
    *("2026-02-30T00:00:00Z", "infinity", "2026-01-07", "", "now"),
)
USERS = (
    "é",
    "日本",
    "😀",
    " u ",
    "a'b",
    r"\u0000",
    r"\"q\"",
    "",
    "x" * 191,
    "x" * 192,
    "{}",
    "true",
)


def messy_lines() -> list[bytes]:
    """Lines of a day that are wrong, or right, in ways of their own."""
    amounts = [
        event(n, "2026-01-07T10:00:00Z", f"pays{n}", "purchase")[:-1] + f', "amount": {amount}}}'
        for n, amount in enumerate(AMOUNTS)
    ]
    times = [event(100 + n, time, f"at{n}") for n, time in enumerate(TIMES)]
    users = [event(200 + n, "2026-01-07T11:00:00Z", user) for n, user in enumerate(USERS)]
    bare = ['{"id": 1, "ts": "2026-01-07T11:00:00Z", "type": "session_start", "user": {"id": 7}}']
    odd = [
        b"",
        b"  \t",
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b"{" * 50,
        b"x" * 1_100_000,
        b'{"a": "\0"}',
    ]
    twice = [event(300, "2026-01-07T11:00:00Z", f"twice{n}") for n in range(3)]
    return [line.encode() for line in amounts + times + users + bare + twice] + odd


def put_messy_files(installation: Installation) -> None:
    folder = installation.source(MESSY_DAY)
    lines = messy_lines()
    many = [event(1000 + n, "2026-01-07T12:00:00Z", f"cut{n % 50}").encode() for n in range(500)]
    contents = {
        "odd lines.jsonl": b"\xef\xbb\xbf" + b"\r\n".join(lines),
        "again [2]{x}*.jsonl.zst": zstd.compress(b"\n".join(lines)),
        "several.zip": make_zip({"a": b"\n".join(lines), "b/c": lzma.compress(many[0])}),
        "damaged.zip": make_zip({"a": many[1]})[:-9],
        "damaged 100%.jsonl.gz": gzip.compress(b"\n".join(many))[:-300],
        "empty.jsonl": b"",
        "empty.jsonl.gz": gzip.compress(b""),
        "no gzip.jsonl.gz": b"\x1f\x8b and nothing",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The logs of a game, of which nothing has been read."""
    home = tmp_path_factory.mktemp("played") / "home"
    installation, _ = make_played(home, RULES, users=USERS_PLAYED, days=DAYS, seed=11, **MESS)
    put_messy_files(installation)
    put_shown_offers(installation)
    return installation


def put_shown_offers(installation: Installation) -> None:
    """Put events into the logs which say of every third user that the bundle was shown."""
    users = user_ids(USERS_PLAYED).to_pylist()[::3]
    shown = [
        event(5_000 + n, f"{SEEN}T11:00:00Z", user, "offer_shown")[:-1] + ', "offer": "bundle"}'
        for n, user in enumerate(users)
    ]
    installation.write_logs(SEEN, *shown, name="shown.jsonl")


@pytest.fixture(scope="module")
def by_duckdb(played: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    installation = played.copy(tmp_path_factory.mktemp("duckdb") / "home")
    run_graph(installation)
    return installation


def run_graph(installation: Installation) -> None:
    """Features of all days, and all else of the newest and of one whose promotions are over."""
    installation.run(START, LAST, HISTORY)
    for first, last in ((PROMOTED, PROMOTED), (day(DAYS - NEWEST), LAST)):
        installation.run(first, last, [*PREDICTED, *DELIVERED])
    installation.run(SEEN, assets=["promotion_shown"])
    installation.run(PROMOTED, assets=["promotion_results"])


@pytest.fixture(scope="module", autouse=True)
def _spark_defaults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with spark_defaults(tmp_path_factory.mktemp("conf")):
        yield


@pytest.fixture(scope="module")
def by_spark(played: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The whole graph, as an installation with the setting runs it."""
    installation = played.copy(tmp_path_factory.mktemp("spark [odd]") / "home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DS_ASSETS_SPARK_MASTER", MASTER)
        environment.setenv("DS_ASSETS_MEMORY_LIMIT_MB", str(HEAP_MB))
        run_graph(installation)
    return installation


@pytest.fixture(scope="module")
def by_connect(
    by_duckdb: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, SparkEngine]]:
    """The raw logs and the models of the same game, and every table made by a server of its own."""
    folder = tmp_path_factory.mktemp("connect")
    installation = by_duckdb.copy(folder / "home")
    lake, game = installation.lake, installation.game
    for table in TABLES:
        lake.delete([item.name for item in lake.objects(table)])
    days = [day(number) for number in range(DAYS)]
    with SparkConnectServer(folder / "server", MASTER, HEAP_MB) as server:
        engine = open_spark(server.url, "", f"file://{installation.settings.lake}", HEAP_MB)
        user_activity.materialize_days(days, lake, engine, game)
        user_features.materialize_days(days[-NEWEST:], lake, engine, game)
        cohorts.update(days[-NEWEST:], lake, engine, game)
        predictions.update(days[-NEWEST:], lake, engine, game)
        yield installation, engine
        engine.session.stop()


def stored(table: str, as_of: dt.date, installation: Installation) -> pa.Table:
    return parquet.ParquetFile(installation.lake.local(table_file(table, as_of))).read()


def assert_same(table: pa.Table, expected: pa.Table, tolerance: float, where: str) -> None:
    """Same rows in the same order, of the same types; reals within a tolerance."""
    assert table.schema.names == expected.schema.names, where
    assert table.schema.types == expected.schema.types, where
    reals = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    others = [name for name in table.schema.names if name not in reals]
    assert table.select(others).to_pydict() == expected.select(others).to_pydict(), where
    left, right = (table.select(reals).to_pandas() for table in (table, expected))
    pd.testing.assert_frame_equal(left, right, rtol=tolerance, atol=tolerance, obj=where)


def assert_same_tables(installation: Installation, expected: Installation) -> None:
    for table in TABLES:
        days = list(stored_days(table, installation.lake))
        assert days == list(stored_days(table, expected.lake))[-len(days) :]
        assert len(days) >= NEWEST
        for as_of in days:
            tolerance = 1e-6 if table.endswith("predictions") else 1e-9
            tables = stored(table, as_of, installation), stored(table, as_of, expected)
            assert_same(*tables, tolerance, f"{table} of {as_of}")


def of_promotions(installation: Installation) -> dict[str, pa.Table]:
    """Each stored day of promotions, and those that are delivered."""
    lake = installation.lake
    tables = {
        f"{table} of {day}": stored(table, day, installation)
        for table in OF_PROMOTIONS
        for day in stored_days(table, lake)
    }
    with installation.results() as results:
        days = [delivery.as_of for delivery in results.deliveries()]
        return tables | {f"player_promotions of {day}": results.promotions(day) for day in days}


def assert_same_reports(installation: Installation, expected: Installation) -> None:
    for as_of in expected.lake.days("user_activity"):
        reports = [read_report(as_of, each.lake) for each in (installation, expected)]
        contents = [report.model_dump(exclude={"raw_fingerprint"}) for report in reports if report]
        assert contents[0] == contents[1]


def outcomes(installation: Installation, engine: LakeEngine, game: Game) -> pd.DataFrame:
    days = [as_of for as_of in installation.lake.days("user_activity") if as_of <= LAST]
    looks = {LAST: [day(7), day(14), day(20)], day(21): [day(9), day(14)]}
    with (
        engine.read(days, stored_activity_table(game), installation.lake) as activity,
        labels.frame_of_windows(looks, 6, game, engine) as windows,
    ):
        rows = engine.to_pandas(labels.outcomes(activity, windows, game, (), engine))
    whole = rows.astype(dict.fromkeys(("active_days", "purchases"), "int64"))
    return whole.sort_values(["as_of", "snapshot", "user_id"], ignore_index=True)


def test_the_game_holds_every_kind_of_mess(by_duckdb: Installation) -> None:
    assert WITHOUT_LOGS not in by_duckdb.lake.days("user_activity")
    report = read_report(MESSY_DAY, by_duckdb.lake)
    assert report is not None
    assert report.files == 9
    assert report.duplicates > 40
    assert report.left_out_lines > 10
    refunds = stored("user_activity", MESSY_DAY, by_duckdb)["refunds"]
    assert sum(refunds.to_pylist()) > 0
    assert len(report.quarantined) >= 10
    assert sum("damaged" in reason for reason in report.quarantined) == 3
    assert len(report.quarantined_types) > 1
    probabilities = stored("predictions", LAST, by_duckdb)["churn_probability"]
    assert len(probabilities) > 100
    assert probabilities.null_count == 0


def test_spark_in_the_process_makes_the_same_tables(
    by_duckdb: Installation, by_spark: Installation
) -> None:
    assert_same_reports(by_spark, by_duckdb)
    assert_same_tables(by_spark, by_duckdb)


def test_spark_gives_every_user_the_same_promotions_and_finds_the_same_effects(
    by_duckdb: Installation, by_spark: Installation
) -> None:
    tables, expected = of_promotions(by_spark), of_promotions(by_duckdb)
    assert tables.keys() == expected.keys()
    for name, table in tables.items():
        assert_same(table, expected[name], 1e-6, name)
    assigned = expected[f"promotions of {PROMOTED}"].to_pandas()
    arms = assigned.groupby("promotion")["arm"].agg(set)
    assert arms["bundle"] == {"treated", "control", "holdout"}
    assert arms["gift"] == {"treated", "control", "as_before", "holdout"}
    assert expected[f"promotion_shown of {SEEN}"].num_rows > 10
    results = expected[f"promotion_results of {PROMOTED}"].to_pandas()
    assert set(results["analysis"][results["state"] == "result"]) == {"assigned", "shown"}
    assert expected[f"player_promotions of {LAST}"].num_rows > 10


def test_a_spark_connect_server_makes_the_same_tables(
    by_duckdb: Installation, by_connect: tuple[Installation, SparkEngine]
) -> None:
    assert_same_reports(by_connect[0], by_duckdb)
    assert_same_tables(by_connect[0], by_duckdb)


def test_labels_are_the_same(
    by_duckdb: Installation,
    by_spark: Installation,
    by_connect: tuple[Installation, SparkEngine],
    tmp_path: Path,
) -> None:
    game = by_duckdb.game
    expected = outcomes(by_duckdb, by_duckdb.engine, game)
    assert expected["purchases"].sum() > 0
    local = SparkEngine(local_session(tmp_path), f"file://{by_spark.settings.lake}")
    for installation, engine in ((by_spark, local), by_connect):
        frame = outcomes(installation, engine, game)
        pd.testing.assert_frame_equal(
            frame, expected, check_dtype=False, check_exact=False, rtol=1e-9, atol=1e-9
        )


def continued(installation: Installation, engine: LakeEngine, game: Game) -> pd.DataFrame:
    """Features of a day that continue a roll-up of its first two weeks."""
    roll_up, table = day(13 + lifetimes.WAIT_DAYS), lifetimes.user_lifetimes_table(game)
    days = [as_of for as_of in installation.lake.days("user_activity") if as_of <= LAST]
    lake = installation.lake
    with (
        engine.read(days, user_activity_table(game), lake) as activity,
        engine.read([], table, lake) as before,
        lifetimes.frame_of_period(roll_up, engine) as period,
    ):
        frame = lifetimes.roll_up(before, activity, period, game, engine)
        assert engine.store(frame, table, "roll_up", [roll_up], lake)[roll_up] > 100
    with (
        engine.read(days, user_activity_table(game), lake) as activity,
        engine.read([roll_up], table, lake) as stored_roll_up,
        features.frame_of_snapshots({LAST: roll_up}, engine) as snapshots,
    ):
        frame = features.user_features(activity, stored_roll_up, snapshots, game, engine)
        rows = engine.to_pandas(frame)
    return rows.sort_values("user_id", ignore_index=True).drop(columns="snapshot")


def test_features_that_continue_a_roll_up_are_the_same(
    by_duckdb: Installation, by_connect: tuple[Installation, SparkEngine]
) -> None:
    game = by_duckdb.game
    expected = continued(by_duckdb, by_duckdb.engine, game)
    assert expected["lifetime_days"].max() > LAST.toordinal() - day(14).toordinal()
    pd.testing.assert_frame_equal(
        continued(*by_connect, game), expected, check_dtype=False, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("log_format", ["csv", "parquet"])
def test_other_formats_are_read_the_same(
    log_format: str, played: Installation, tmp_path: Path
) -> None:
    game = make_game(
        logs={"format": log_format, "time_format": "epoch_seconds"},
        fields={
            "user_id": "user",
            "event_time": "time",
            "event_type": "type",
            "event_id": "id",
            "amount": "amount",
            "currency": "currency",
        },
        events={"purchases": ["buy"]},
        currencies={"USD": 1.0, "KRW": 0.00072},
        time_zone="Asia/Seoul",
    )
    installation = Installation(tmp_path)
    lake = installation.lake
    rows = pa.table(
        {
            "user": ["a", "b", None, "a", "a", "ü"],
            "time": [1767225600.5, 1767225600.25, 1767225601, 9e18, 1767225600.5, 1767312000],
            "type": ["buy", "buy", "buy", "x", "buy", "buy"],
            "id": ["1", "2", "3", "4", "1", ""],
            "amount": [1.5, 1234.0, 2.0, 1.0, 1.5, 7.7],
            "currency": ["USD", "KRW", "USD", "USD", "USD", "EUR"],
            "level": [1.5, None, 3.0, 4.0, 5.0, 6.0],
        }
    )
    name = f"{day_folder(RAW, START)}/a.{log_format}"
    if log_format == "csv":
        lake.write(name, rows.to_pandas().to_csv(index=False).encode() + b'"broken,1\n')
    else:
        parquet.write_table(rows, tmp_path / "a.parquet")
        lake.write(name, (tmp_path / "a.parquet").read_bytes())
    lake.write(f"{day_folder(RAW, START)}/damaged.{log_format}.gz", b"\x1f\x8b\x08PAR1")
    spark = SparkEngine(local_session(tmp_path / "conf"), f"file://{installation.settings.lake}")
    tables: list[list[pa.Table]] = []
    for engine in (played.engine, spark):
        user_activity.materialize_days([START], lake, engine, game)
        tables.append([stored(name, START, installation) for name in TABLES[:2]])
    for expected, table in zip(*tables, strict=True):
        assert len(expected) > 0
        assert_same(table, expected, 1e-9, log_format)


SET_BACK = dt.date(2026, 11, 1)
"""A day on which the clock in New York is set back from 2:00 to 1:00, at 6:00 in UTC."""


@pytest.mark.parametrize("log_format", ["jsonl", "parquet"])
def test_keys_texts_of_json_several_fields_and_a_clock_that_is_set_back_are_read_the_same(
    log_format: str, played: Installation, tmp_path: Path
) -> None:
    game = make_game(
        logs={"format": log_format, "time_format": "epoch_microseconds"},
        fields={
            "user_id": ["user", "device"],
            "event_time": "time",
            "event_type": {"joined": ["kind", "name"]},
            "amount": {
                "field": {"product": ["json(payload).quantity", "price"]},
                "divided_by": 100,
            },
        },
        events={"purchases": ["buy:Gem Pack"], "counted": {"gems": "buy:Gem Pack"}},
        targets={"quest": {"event": ["Quest Done"], "horizon": 7}},
        attributes={"level": {"field": "params[level]", "type": "number"}},
        time_zone="America/New_York",
    )
    change = int(dt.datetime(2026, 11, 1, 6, tzinfo=dt.UTC).timestamp())
    rows: list[dict[str, Any]] = [
        {
            "user": user,
            "device": f"d{minutes}",
            "time": (change + 60 * minutes) * 1_000_000,
            "kind": kind,
            "name": name,
            "payload": payload,
            "price": 150,
            "params": [{"key": "level", "value": {"int_value": level, "string_value": None}}],
        }
        for user, minutes, kind, name, payload, level in [
            ("u", -10, "buy", "Gem Pack", '{"quantity": 3}', 5),
            ("u", 10, None, "Quest Done", "", 6),
            ("u", 300, "x", None, None, None),
            (None, 0, "buy", "Gem Pack", '{"quantity": 1}', 1),
            ("v", 0, "buy", "Gem Pack", '{"quantity": ', 1),
        ]
    ]
    path = tmp_path / "rows"
    if log_format == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    installation = Installation(tmp_path)
    installation.lake.write(f"{day_folder(RAW, SET_BACK)}/a.{log_format}", path.read_bytes())
    spark = SparkEngine(local_session(tmp_path / "conf"), f"file://{installation.settings.lake}")
    tables: list[list[pa.Table]] = []
    for engine in (played.engine, spark):
        user_activity.materialize_days([SET_BACK], installation.lake, engine, game)
        tables.append([stored(name, SET_BACK, installation) for name in TABLES[:2]])
    for expected, table in zip(*tables, strict=True):
        assert_same(table, expected, 1e-9, log_format)
    activity, quarantine = (table.to_pylist() for table in tables[0])
    assert [row["reason"] for row in quarantine] == ["the text in payload is broken JSON"]
    device, user = activity
    assert (device["user_id"], device["spend"]) == ("d0", 1.5)
    assert (user["spend"], user["count_gems"], user["last_level"]) == (4.5, 1, 6)
    assert user[f"count_{game.count_name('Quest Done')}"] == 1
    assert user["after_set_back"]


def test_open_days_are_counted_the_same_with_closed_weekdays(
    played: Installation, tmp_path: Path
) -> None:
    closed = read_closed_days(["saturday", "wednesday", day(5), day(20)])
    counts = []
    for engine in (played.engine, SparkEngine(local_session(tmp_path / "conf"), "file:///tmp")):
        f = engine.functions
        with engine.values([(day(n),) for n in range(40)], "last date") as days:
            first = f.lit(str(day(-3))).cast("date")
            number = open_days_between(f, first, f.col("last"), closed).alias("number")
            rows = engine.to_pandas(days.select("last", number)).sort_values("last")
        counts.append(rows["number"].tolist())
    assert counts[0] == counts[1] == [open_between(day(-3), day(n), closed) for n in range(40)]


def open_between(first: dt.date, last: dt.date, closed: ClosedDays) -> int:
    return (last - first).days - closed.count(first, last)
