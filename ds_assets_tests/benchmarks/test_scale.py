"""The plan for a large game: arithmetic, prices, and the page that holds it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.report import Place, Report, Row, report_of, write_report
from benchmarks.scale import __main__ as command
from benchmarks.scale import page
from benchmarks.scale.assumptions import Assumptions
from benchmarks.scale.page import (
    BEGIN,
    END,
    NOT_COMPUTED,
    PAGE,
    RESULTS,
    fill_page,
    make_expected_tables,
    make_tables,
)
from benchmarks.scale.plan import (
    AWS_EGRESS,
    Cost,
    Part,
    compute_azure_egress,
    compute_cluster,
    compute_results_bytes,
    compute_run_hours,
    compute_serving,
    compute_written_bytes,
    count_raw_files,
    list_costs,
    list_parts,
    list_stored_days,
    price_in_steps,
    rank_parts,
)
from benchmarks.scale.prices import FILE, read_prices
from benchmarks.scale.results import (
    COMMANDS,
    SPARK,
    SPARK_ROW,
    Curve,
    Figures,
    Growth,
    read_figures,
    read_reports,
)
from ds_assets.errors import INPUT_ERROR, InputError

SMALL = Assumptions(
    daily_players=1_000,
    events=100_000,
    active_users=2_000,
    cached_users=3_000,
    all_users=10_000,
    bytes_per_event=50,
    file_mb=2,
    hours=1,
    source_days=10,
    raw_days=20,
    table_days=56,
    results_days=5,
    duplicate_days=3,
    window_days=28,
    requests=86_400,
    peak=2,
    load=0.5,
    reserve=0.5,
    replicas=1,
    redis_node_gib=2**-10,  # 1 MiB
    run_machine_gb=1,
)


def make_row(name: str, value: float | None, values: Sequence[float] = ()) -> Row:
    return Row(name=name, value=value, unit="ratio", control=None, values=list(values))


def make_points(seconds: Mapping[float, float], memory: Mapping[float, float]) -> list[Row]:
    """Points, the last one first: their order must not matter."""
    by_unit: dict[str, Mapping[float, float]] = {"s": seconds, "MB": memory}
    return [
        Row(
            name=f"{at}",
            value=value,
            unit=unit,
            control=None,
            values=[value],
            place=Place(series="", at=at),
        )
        for unit, points in by_unit.items()
        for at, value in sorted(points.items(), reverse=True)
    ]


def make_rows() -> dict[str, list[Row]]:
    """1 ms per event and 20 ms per user beside it; 0.001 MB per event and 0.1 MB per user."""
    choosing = "a day with choices"
    return {
        "growth_events": make_points(
            {1_000: 9, 10_000: 22, 100_000: 112}, {1_000: 90, 10_000: 110, 100_000: 200}
        ),
        "growth_users": make_points({100: 9, 200: 14, 1_000: 38}, {100: 90, 200: 120, 1_000: 208}),
        "day": [
            make_row(f"{choosing}: active users", 60),
            make_row(f"{choosing}, cluster_profiles: time", 3),
            make_row(f"{choosing}, clusters: time", 1),
            make_row(f"{choosing}, churn_model: time", 4),
            make_row(f"{choosing}, payment_model: time", 5),
        ],
        "training": [make_row("15 times the users, a day with choices", 1.2)],
        "sizes": [
            make_row(f"{name}: bytes per row", size)
            for name, size in {
                "raw_logs": 12,
                "event_ids": 9,
                "user_activity": 40,
                "user_features": 200,
                "user_lifetimes": 30,
                "predictions": 100,
                "MySQL": 400,
            }.items()
        ],
        "copy_logs": [make_row("rate, 200 of 5 MB", 0.7, [2e-6, 1e-6, 3e-6])],
        "results_database": [make_row("rows a second into MySQL", 0.8, [50, 100, 200])],
        "cache": [
            make_row("users a second", 1.1, [10, 20, 40]),
            make_row("memory of Redis a user", 256),
            make_row("memory of Redis a user with reasons", 512),
        ],
        "serving": [make_row("GET: predictions a second", 0.3, [100, 500, 900])],
        "activity_features": [make_row("time", 2.5, [4, 5, 9])],
    }


def make_report(name: str, rows: Sequence[Row], cores: int = 2) -> Report:
    report = report_of(name, rows)
    return report.model_copy(update={"machine": {"cores": cores}})


def make_reports(spark: float | None = None, **changes: Any) -> dict[str, Report]:
    rows = make_rows() | changes
    if spark is not None:
        seconds = make_row(SPARK_ROW, 99).model_copy(update={"unit": "s"})
        rows[SPARK] = [seconds, make_row(SPARK_ROW, spark)]
    return {name: make_report(name, own) for name, own in rows.items()}


def make_figures(spark: float | None = None) -> Figures:
    return read_figures(make_reports(spark))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder with all results that are needed."""
    for report in make_reports().values():
        write_report(report, tmp_path)
    return tmp_path


def test_beyond_its_points_a_curve_is_the_line_through_the_last_two() -> None:
    curve = Curve(((1, 100), (10, 20), (20, 30)))
    assert curve.slope == 1
    assert (curve.at(20), curve.at(120), curve.at(10)) == (30, 130, 20)


def test_a_falling_curve_is_taken_as_flat() -> None:
    assert Curve(((1, 9), (2, 8))).at(1_000) == 8


def test_growth_by_users_is_what_their_events_do_not_explain() -> None:
    growth = make_figures().seconds
    # 30 ms per user in the curve, of which 10 events take 10
    assert growth.per_event == pytest.approx(0.001)
    assert growth.per_user == pytest.approx(0.02)
    # 12 s without events in the curve of 100 users, of which these take 2
    assert growth.fixed == pytest.approx(10)
    assert growth.at(2_000, 500) == pytest.approx(10 + 2 + 10)


def test_users_whose_events_explain_all_cost_nothing_themselves() -> None:
    growth = Growth(Curve(((100, 1), (200, 2))), Curve(((10, 1), (20, 1.5))))
    assert growth.per_user == 0


def test_figures_are_those_of_the_results() -> None:
    it = make_figures()
    assert it.cores == 2
    assert it.batch_core_seconds == 2  # 5 s of 2 cores for 5 million events
    assert it.profile_seconds == pytest.approx(0.05)
    assert [it.training_seconds, it.training_growth] == [10, 1.2]
    assert it.copy_bytes == 2_000
    assert (it.delivered_rows, it.cached_users, it.answers) == (100, 20, 500)
    assert list(it.cache_bytes) == [256, 512]
    assert it.memory_mb.per_event == pytest.approx(0.001)
    assert it.memory_mb.per_user == pytest.approx(0.1)
    assert it.spark_overhead is None
    assert make_figures(spark=7).spark_overhead == 7


def test_a_row_that_is_missing_is_named() -> None:
    with pytest.raises(InputError, match=r"cache\.json has no row `memory of Redis a user`"):
        read_figures(make_reports(cache=[make_row("users a second", 1, [1])]))
    with pytest.raises(InputError, match="`15 times the users, a day with choices` was not meas"):
        read_figures(
            make_reports(training=[make_row("15 times the users, a day with choices", None)])
        )


def test_a_single_point_makes_no_line() -> None:
    with pytest.raises(InputError, match=r"growth_users\.json has 1 points in s;"):
        read_figures(make_reports(growth_users=make_points({1: 1}, {1: 1})))


def test_files_of_logs_have_at_most_the_assumed_size() -> None:
    assert count_raw_files(SMALL) == 3  # 5 MB in files of 2 MB


def test_tables_are_as_large_as_their_rows_and_kept_as_long_as_assumed() -> None:
    days = {it.name: it for it in list_stored_days(make_figures(), SMALL)}
    assert {name: it.size_bytes for name, it in days.items()} == {
        "raw_logs": 5_000_000,
        "event_ids": 900_000,
        "user_activity": 40_000,
        "user_features": 400_000,
        "user_lifetimes": 300_000,
        "predictions": 200_000,
    }
    assert days["raw_logs"].kept_bytes == 100_000_000
    assert days["predictions"].kept_bytes == 56 * 200_000
    assert days["user_lifetimes"].kept_bytes == 2 * 300_000
    assert compute_results_bytes(400, SMALL) == 4_000_000


def test_logs_ids_and_activity_come_back_to_an_engine_outside_azure() -> None:
    stored = list_stored_days(make_figures(), SMALL)
    assert compute_azure_egress(stored, SMALL) == 5_000_000 + 3 * 900_000 + 28 * 40_000
    written = 900_000 + 40_000 + 400_000 + 300_000 / 28 + 200_000
    assert compute_written_bytes(stored) == pytest.approx(written)


def test_core_hours_are_all_cores_of_the_measuring_machine() -> None:
    events = SMALL.model_copy(update={"events": 36e6, "hours": 4})
    cluster = compute_cluster(make_figures(), events)
    assert cluster.core_hours == pytest.approx(20)  # 36,000 s on 2 cores
    assert (cluster.spark_core_hours, cluster.cores) == (None, None)
    cluster = compute_cluster(make_figures(spark=3), events)
    assert cluster.spark_core_hours == pytest.approx(60)
    assert cluster.cores == 15


def test_parts_in_one_process_take_what_their_rates_say() -> None:
    parts = {it.name: it for it in list_parts(make_figures(), SMALL)}
    seconds = {name: it.total for name, it in parts.items()}
    assert seconds == pytest.approx(
        {
            "copies logs": 2_500,
            "reads logs on DuckDB, without Spark": 100,
            "does all that grows with users": 10 + 40,
            "trains on a sample": 12,
            "profiles clusters": 100,
            "delivers to MySQL": 20,
            "fills Redis": 100,
            "holds in memory, with the logs on Spark": 90 + 200,
        }
    )
    assert {it.unit for name, it in parts.items() if "memory" not in name} == {"s"}


def test_the_machine_runs_for_all_parts_that_are_not_counted_twice() -> None:
    hours = compute_run_hours(make_figures(), SMALL)
    assert hours == pytest.approx(1 + (2_500 + 50 + 20 + 100) / 3_600)


def test_the_capacity_of_a_part_is_the_size_at_its_limit() -> None:
    part = Part("a", "", fixed=10, growing=45, limit=100)
    assert part.capacity == 2
    assert replace(part, fixed=101).capacity == 0
    assert math.isinf(replace(part, growing=0).capacity)
    assert replace(part, fixed=101, growing=0).capacity == 0


def test_what_exceeds_its_limit_at_the_smallest_size_breaks_first() -> None:
    ranked = rank_parts(list_parts(make_figures(), SMALL))
    assert [it.name for it in ranked][:2] == [
        "copies logs",
        "holds in memory, with the logs on Spark",
    ]
    assert ranked[0].capacity == pytest.approx(3_600 / 2_500)
    assert ranked[1].capacity == pytest.approx((1_000 - 90) / 200)
    assert math.isinf(ranked[-1].capacity)
    assert ranked[-1].name == "trains on a sample"


def test_answers_need_workers_for_the_peak_and_memory_for_all_users() -> None:
    serving = compute_serving(make_figures(), SMALL, requests_per_key=600)
    assert serving.peak_requests == 2_000
    assert serving.workers_by_rate == 8  # half of 500 each
    assert serving.workers_by_limit == 4
    assert serving.workers == 8
    assert serving.redis_gib == pytest.approx((3_000 * 512 / 2**30, 3_000 * 1_024 / 2**30))
    assert serving.redis_nodes == 2 * 3  # 2.93 MiB in nodes of 1 MiB


def test_two_workers_are_the_least() -> None:
    few = SMALL.model_copy(update={"requests": 1.0})
    assert compute_serving(make_figures(), few, requests_per_key=600).workers == 2


def test_a_price_that_falls_in_steps_is_paid_step_by_step() -> None:
    prices = read_prices()
    first, second = (prices[name].value for name, _ in AWS_EGRESS[:2])
    assert price_in_steps(1_000, AWS_EGRESS, prices) == pytest.approx(1_000 * first)
    above = price_in_steps(20_240, AWS_EGRESS, prices)
    assert above == pytest.approx(10_240 * first + 10_000 * second)
    assert price_in_steps(1e6, AWS_EGRESS, prices) > above


def costs_of(figures: Figures) -> dict[str, Cost]:
    serving = compute_serving(figures, SMALL, requests_per_key=600)
    return {it.name: it for it in list_costs(figures, SMALL, serving, read_prices())}


def test_each_line_of_the_bill_is_an_amount_times_its_price() -> None:
    prices = read_prices()
    costs = costs_of(make_figures(spark=2))
    month = 730 / 24
    assert costs["S3, logs"].dollars == pytest.approx(0.05 * prices["s3_gb"].value)
    logs = costs["logs from S3 to Azure Blob"]
    assert logs.amount == pytest.approx(0.005 * month)
    assert logs.dollars == pytest.approx(0.005 * month * prices["aws_egress_first"].value)
    spark = costs["Spark"]
    assert spark.amount == pytest.approx(100 * 2 / 3_600 * 2 * month)
    assert spark.dollars == pytest.approx((spark.amount or 0) * prices["spark_core"].value)
    assert costs["Redis"].amount == 6 * 730
    assert costs["API, one machine for two workers"].amount == 4 * 730
    assert costs["MySQL, two zones"].dollars == pytest.approx(1_460 * prices["mysql"].value)


def test_what_was_not_measured_costs_no_invented_amount() -> None:
    spark = costs_of(make_figures())["Spark"]
    assert (spark.amount, spark.dollars) == (None, None)
    tables = make_tables(make_reports(), SMALL, read_prices())
    assert "| Spark | not measured | core hours | not measured | spark_core |" in tables
    assert "dollars a month without Spark" in tables
    assert "without Spark, and" not in make_tables(make_reports(spark=2), SMALL, read_prices())


def test_each_table_follows_a_sentence_that_says_what_it_shows() -> None:
    blocks = make_tables(make_reports(), SMALL, read_prices()).split("\n\n")
    tables = [number for number, block in enumerate(blocks) if block.startswith("|")]
    assert len(tables) == 10
    assert all(blocks[number - 1].startswith("The table shows") for number in tables)


def test_every_price_has_a_source_and_a_date() -> None:
    prices = read_prices()
    assert all(it.source.startswith("https://") and it.read_in for it in prices.values())
    assert {it.date.year for it in prices.values()} <= {2024, 2025, 2026}


def drop(name: str, key: str | None = None) -> Callable[[dict[str, Any]], object]:
    return lambda prices: prices.pop(name) if key is None else prices[name].pop(key)


def put(name: str, key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda prices: prices[name].update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("mysql"), "mysql: required"),
        (drop("mysql", "date"), "mysql.date: required"),
        (drop("mysql", "source"), "mysql.source: required"),
        (put("mysql", "source", "a colleague"), "mysql.source: found 'a colleague'"),
        (put("mysql", "value", 0), "mysql.value: found 0"),
        (put("mysql", "note", "x"), "mysql.note: unknown key"),
        (lambda prices: prices.update(gold=prices["mysql"]), "gold"),
    ],
)
def test_a_mistake_in_the_table_of_prices_is_named(
    change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path
) -> None:
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    change(content)
    file = tmp_path / "prices.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_prices(file)


def test_missing_results_are_named_with_their_commands(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("growth_users", "serving"):
        (stored / f"{name}.json").unlink()
    monkeypatch.setattr(command, "RESULTS", stored)
    monkeypatch.setattr(command, "PAGE", stored / "not written")
    with pytest.raises(SystemExit) as ended:
        command.main([])
    assert ended.value.code == INPUT_ERROR
    error = capsys.readouterr().err
    assert 'growth_users.json (`make bench-growth ARGS="--only users"`)' in error
    assert "serving.json (`make bench-serving`)" in error
    assert "cache.json" not in error
    assert error.count("\n") == 1
    assert not (stored / "not written").exists()


def test_the_command_writes_what_the_page_has_to_hold(
    stored: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stored / "scale.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}after\n", encoding="utf-8")
    monkeypatch.setattr(command, "RESULTS", stored)
    monkeypatch.setattr(command, "PAGE", file)
    command.main(["--assume", "events=1000"])
    assert "| `events` | 1,000 |" in capsys.readouterr().out
    assert "old" in file.read_text(encoding="utf-8")
    command.main([])
    text = file.read_text(encoding="utf-8")
    assert text == fill_page(text, make_expected_tables(stored, read_prices()))
    assert text.startswith(f"before\n{BEGIN}\n## What is assumed\n")
    assert text.endswith(f"\n{END}after\n")


@pytest.mark.parametrize("text", ["events=many", "gold=1", "events", "events=0"])
def test_an_assumption_that_is_not_accepted_is_named(text: str) -> None:
    with pytest.raises(InputError, match=text.partition("=")[0]):
        command.read_assumptions([text])


def test_an_optional_result_is_read_if_it_is_stored(stored: Path) -> None:
    assert set(read_reports(stored)) == set(COMMANDS)
    write_report(make_report(SPARK, [make_row(SPARK_ROW, 4)]), stored)
    assert read_figures(read_reports(stored)).spark_overhead == 4


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="computed: end"):
        fill_page(f"text {BEGIN}", NOT_COMPUTED)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0408, "0.0408"),
        (9.99, "9.99"),
        (12.345, "12.3"),
        (3_907, "3,907"),
        (5e9, "5,000,000,000"),
    ],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert page._number(value) == text


def test_the_page_holds_what_the_stored_results_give() -> None:
    text = PAGE.read_text(encoding="utf-8")
    expected = fill_page(text, make_expected_tables(RESULTS, read_prices()))
    assert text == expected, "run `python -m benchmarks.scale`"
