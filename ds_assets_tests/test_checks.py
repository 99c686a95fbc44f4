"""Each check on a real run: a bad day stops with a sentence, and nothing after it runs."""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from ds_assets.assets import predictions, user_activity
from ds_assets.checks import check_outcomes
from ds_assets.core.tables import CLUSTER_PROFILES
from ds_assets.core.verdicts import Decision
from ds_assets.errors import InputError
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.tables import read_predictions, read_rows, store_rows, table_file
from ds_assets.runs import find_outdated_days
from ds_assets.sensors import given_up
from ds_assets_tests.assets.factories import (
    LAST,
    Installation,
    day,
    event,
    finished,
    make_installation,
)
from ds_assets_tests.infra.factories import get_rows

pytestmark = pytest.mark.slow

ONE_USER = "user_id = (SELECT max(user_id) FROM player_predictions_current)"
UNTIL_FEATURES = ("raw_logs", "user_activity", "user_lifetimes", "user_features")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return make_installation(tmp_path)


@pytest.fixture
def copy(tmp_path: Path) -> Installation:
    return finished().copy(tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def write_day(installation: Installation, number: int, events: int, broken: int = 0) -> None:
    lines = [event(n, f"{day(number)}T10:00:00Z", f"u{n}") for n in range(events)]
    installation.write_logs(day(number), *lines, *(["{"] * broken))


def run_until_features(installation: Installation, *numbers: int) -> str:
    """Run days. Returns what is reported of those that were left out."""
    return "\n".join(installation.run(day(numbers[0]), day(numbers[-1]), UNTIL_FEATURES))


def has_features(installation: Installation, number: int) -> bool:
    return installation.lake.exists(table_file("user_features", day(number)))


def tamper(installation: Installation, statement: str, *values: Any) -> int:
    file = installation.settings.results_url.removeprefix("sqlite:///")
    with sqlite3.connect(file) as connection:
        changed = connection.execute(statement, values).rowcount
    connection.close()
    return changed


def run_check(
    installation: Installation, asset: str, name: str, instance: dg.DagsterInstance
) -> dg.AssetCheckEvaluation:
    """The check alone, on the latest day, as the UI runs it."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), name)
    job = dg.define_asset_job("one_check", dg.AssetSelection.checks(key))
    defs = dg.Definitions.merge(installation.defs, dg.Definitions(jobs=[job]))
    result = defs.resolve_job_def("one_check").execute_in_process(
        instance=instance, raise_on_error=False
    )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def test_a_day_without_a_valid_event_stops_before_its_features(installation: Installation) -> None:
    write_day(installation, 0, events=0)
    sentence = f"user_activity: {day(0)}: no valid events; if the game was offline, add the day"
    with pytest.raises(InputError, match=sentence):
        run_until_features(installation, 0)
    assert not has_features(installation, 0)


def test_a_missing_day_in_the_windows_of_features_is_a_warning_that_names_it(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    for number in (0, 1, 3):
        write_day(installation, number, events=3)
    run_until_features(installation, 0, 3)
    evaluation = run_check(installation, "user_features", "has_whole_windows", instance)
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert evaluation.description == f"{day(3)}: features lack {day(2)}, missing or refused"


@pytest.mark.parametrize(("lost", "is_predicted"), [([1], True), ([1, 2], False)])
def test_a_day_gets_no_predictions_if_two_of_the_three_days_before_it_are_refused(
    lost: list[int], is_predicted: bool, copy: Installation
) -> None:
    for back in lost:
        it = LAST - dt.timedelta(days=back)
        decide_by_operator(it, Decision.REFUSED, "a test", "anna", copy.lake, copy.game)
    made_again = ("user_features", "predictions")
    if is_predicted:
        copy.run(LAST, assets=made_again)
    else:
        days = f"{day(29)}, {day(30)}"
        with pytest.raises(InputError, match=f"of the 3 days before it {days} are missing"):
            copy.run(LAST, assets=made_again)


def test_a_day_on_which_the_game_was_shut_may_have_no_events(tmp_path: Path) -> None:
    installation = make_installation(tmp_path, closed_days=[day(0), day(7)])
    write_day(installation, 0, events=0)
    write_day(installation, 7, events=0)
    run_until_features(installation, 0, 7)
    assert has_features(installation, 0)
    assert has_features(installation, 7)


def test_a_day_with_far_fewer_events_than_its_weekday_has_stops(installation: Installation) -> None:
    for weeks in range(4):
        write_day(installation, 7 * weeks, events=100)
    write_day(installation, 28, events=24)
    run_until_features(installation, 0, 21)
    sentence = f"user_activity: {day(28)}: 24 events, where this weekday usually has 100"
    with pytest.raises(InputError, match=sentence):
        run_until_features(installation, 28)
    assert not has_features(installation, 28)


def test_a_day_with_just_enough_events_passes(installation: Installation) -> None:
    assert installation.game.checks.min_event_share == 0.25
    for weeks in range(4):
        write_day(installation, 7 * weeks, events=100)
    write_day(installation, 28, events=25)
    run_until_features(installation, 0, 28)
    assert has_features(installation, 28)


def test_a_quiet_weekday_is_compared_with_its_own_kind(installation: Installation) -> None:
    for number in range(7):
        write_day(installation, number, events=100 if number else 10)
    write_day(installation, 7, events=10)
    run_until_features(installation, 0, 7)
    assert has_features(installation, 7)


def test_days_on_which_the_game_was_shut_are_nothing_to_compare_with(tmp_path: Path) -> None:
    installation = make_installation(tmp_path, closed_days=[day(0), day(7)])
    for number, events in ((0, 0), (7, 0), (14, 100), (21, 20)):
        write_day(installation, number, events)
    run_until_features(installation, 0, 14)
    # With the closed days among them, the usual number would be 0.
    with pytest.raises(InputError, match=f"{day(21)}: 20 events, where .* usually has 100"):
        run_until_features(installation, 21)


@pytest.mark.parametrize(("broken", "passes"), [(5, True), (6, False)])
def test_a_day_with_more_than_a_twentieth_in_quarantine_stops(
    installation: Installation, broken: int, passes: bool
) -> None:
    write_day(installation, 0, events=100 - broken, broken=broken)
    if passes:
        run_until_features(installation, 0)
    else:
        with pytest.raises(InputError, match=f"{day(0)}: 6.0% of the lines are in .*: not JSON"):
            run_until_features(installation, 0)
    assert has_features(installation, 0) == passes


@pytest.mark.parametrize(("copies", "passes"), [(50, True), (51, False)])
def test_a_day_of_which_more_than_half_repeats_events_stops(
    installation: Installation, copies: int, passes: bool
) -> None:
    lines = [event(n, f"{day(0)}T10:00:00Z") for n in range(100 - copies)]
    installation.write_logs(day(0), *lines, *([lines[0]] * copies))
    if passes:
        run_until_features(installation, 0)
    else:
        with pytest.raises(InputError, match=f"{day(0)}: 51 of 100 lines repeat the id of an"):
            run_until_features(installation, 0)
    assert has_features(installation, 0) == passes


def test_one_bad_day_of_a_range_stops_itself_and_is_named(installation: Installation) -> None:
    for number, events in enumerate((5, 0, 5)):
        write_day(installation, number, events)
    assert run_until_features(installation, 0, 2) == (
        f"{day(1)}: user_activity is refused by the checks: no valid events; if the game was "
        "offline, add the day to closed_days; replace the day's files, or accept it with "
        "`ds-assets accept DAY --reason REASON`"
    )
    assert [has_features(installation, number) for number in range(3)] == [True, False, True]


def test_a_range_with_nothing_but_bad_days_fails(installation: Installation) -> None:
    for number in range(2):
        write_day(installation, number, events=0)
    sentence = f"user_activity: {day(0)}: no valid events.*{day(1)}: no valid events"
    with pytest.raises(InputError, match=sentence):
        run_until_features(installation, 0, 1)


def test_a_range_whose_bad_days_fail_different_checks_fails(installation: Installation) -> None:
    write_day(installation, 0, events=0)
    write_day(installation, 1, events=5, broken=5)
    with pytest.raises(InputError, match=f"{day(1)}: 50.0% of the lines are in quarantine"):
        run_until_features(installation, 0, 1)


def test_a_bad_day_that_is_stored_does_not_fail_the_runs_of_other_days(
    installation: Installation,
) -> None:
    write_day(installation, 0, events=0)
    with pytest.raises(InputError):
        run_until_features(installation, 0)
    write_day(installation, 1, events=5)
    run_until_features(installation, 1)
    assert has_features(installation, 1)


def decide(installation: Installation, number: int, decision: Decision) -> None:
    lake, game = installation.lake, installation.game
    decide_by_operator(day(number), decision, "a holiday", "anna", lake, game)


def test_an_accepted_day_is_run_and_shows_who_accepted_it(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    write_day(installation, 0, events=0)
    with pytest.raises(InputError):
        run_until_features(installation, 0)
    decide(installation, 0, Decision.ACCEPTED)
    run_until_features(installation, 0)
    assert has_features(installation, 0)
    evaluation = run_check(installation, "user_activity", "has_events", instance)
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert str(evaluation.description).endswith("(accepted by anna: a holiday)")


def test_a_withdrawn_day_fails_a_run_with_the_reason(installation: Installation) -> None:
    write_day(installation, 0, events=5)
    run_until_features(installation, 0)
    decide(installation, 0, Decision.REFUSED)
    with pytest.raises(InputError, match="user_activity is refused by anna: a holiday"):
        run_until_features(installation, 0)


def test_a_later_day_is_made_without_a_refused_day(installation: Installation) -> None:
    write_day(installation, 0, events=5)
    write_day(installation, 1, events=5)
    run_until_features(installation, 0, 1)
    decide(installation, 0, Decision.REFUSED)
    run_until_features(installation, 1)
    features = pd.read_parquet(installation.lake.local(table_file("user_features", day(1))))
    assert set(features["active_days_7d"]) == {1}


def test_a_later_day_that_is_made_while_a_day_is_checked_does_not_use_it_if_it_is_refused(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (0, 2):
        write_day(installation, number, events=3)
        run_until_features(installation, number)
    evaluate = user_activity.evaluate_days

    def evaluate_while_another_run_makes_features(
        *args: Any,
    ) -> dict[dt.date, str]:
        installation.run(day(2), assets=["user_features"])
        return evaluate(*args)

    monkeypatch.setattr(user_activity, "evaluate_days", evaluate_while_another_run_makes_features)
    write_day(installation, 1, events=20, broken=20)
    with pytest.raises(InputError, match="of the lines are in quarantine"):
        run_until_features(installation, 1)
    stored = parquet.read_table(installation.lake.local(table_file("user_features", day(2))))
    assert stored.num_rows == 3
    assert find_outdated_days("user_features", installation.game, installation.lake) == []


def test_a_day_that_another_run_has_not_checked_yet_is_not_usual(
    installation: Installation,
) -> None:
    write_day(installation, 0, events=100)
    installation.run(day(0), assets=["raw_logs"])
    lake, game = installation.lake, installation.game
    user_activity.materialize_days([day(0)], lake, installation.engine, game)
    write_day(installation, 7, events=5)
    run_until_features(installation, 7)
    assert has_features(installation, 7)


def test_a_refused_day_is_not_usual(installation: Installation) -> None:
    for weeks, events in enumerate((100, 10, 100, 100)):
        write_day(installation, 7 * weeks, events)
    assert f"{day(7)}: user_activity is refused" in run_until_features(installation, 0, 21)
    write_day(installation, 28, events=24)
    with pytest.raises(InputError, match=f"{day(28)}: 24 events, where .* usually has 100"):
        run_until_features(installation, 28)


def test_other_files_of_a_refused_day_are_evaluated_again(installation: Installation) -> None:
    write_day(installation, 0, events=0)
    with pytest.raises(InputError):
        run_until_features(installation, 0)
    write_day(installation, 0, events=5)
    run_until_features(installation, 0)
    assert has_features(installation, 0)


def test_no_delivery_of_a_withdrawn_day_is_made(copy: Installation) -> None:
    decide_by_operator(LAST, Decision.REFUSED, "half a day", "anna", copy.lake, copy.game)
    with pytest.raises(InputError, match=f"{LAST}: user_activity is refused by anna: half a day"):
        copy.run(LAST, assets=["rds_results", "prediction_cache"])


def broken(rows: pa.Table, column: str, value: float | None) -> pa.Table:
    values = [value, *rows[column].to_pylist()[1:]]
    position = rows.schema.get_field_index(column)
    return rows.set_column(position, rows.schema.field(position), pa.array(values, pa.float64()))


def store_predictions(rows: pa.Table, copy: Installation) -> None:
    """Replace the predictions of the last day."""
    name = table_file("predictions", LAST)
    with copy.lake.writing({name: name}) as staged:
        parquet.write_table(rows, staged[name])


@pytest.mark.parametrize("target", ["churn", "payment"])
def test_a_value_of_a_model_that_is_no_probability_fails_the_day(
    copy: Installation, instance: dg.DagsterInstance, target: str
) -> None:
    rows = read_predictions(LAST, copy.lake)
    assert rows[f"{target}_model"].null_count == 0
    sentence = f"{LAST}: 1 values of {target}_probability are not between 0 and 1"
    for value in (1.0000001, -0.1, float("nan"), float("inf"), None):
        store_predictions(broken(rows, f"{target}_probability", value), copy)
        evaluation = run_check(copy, "predictions", "are_probabilities", instance)
        assert not evaluation.passed, value
        assert evaluation.severity is dg.AssetCheckSeverity.ERROR
        assert evaluation.description == sentence, value


def test_an_active_user_without_a_row_fails_the_day(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    rows = read_predictions(LAST, copy.lake)
    store_predictions(rows.slice(1), copy)
    evaluation = run_check(copy, "predictions", "are_probabilities", instance)
    assert not evaluation.passed
    assert evaluation.description == f"{LAST}: {len(rows) - 1} rows for {len(rows)} active users"


def test_predictions_that_fail_their_check_stop_themselves_and_are_used_by_no_other_run(
    copy: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = predictions.update

    def update_with_a_fault(*args: Any) -> dict[dt.date, int]:
        rows = update(*args)
        file = copy.lake.local(table_file("predictions", LAST))
        parquet.write_table(broken(read_predictions(LAST, copy.lake), "churn_probability", 2), file)
        return rows

    monkeypatch.setattr(predictions, "update", update_with_a_fault)
    assets = ["predictions", "cluster_profiles", "rds_results"]
    (left_out,) = copy.run(LAST - dt.timedelta(days=1), LAST, assets)
    assert left_out.startswith(f"{LAST}: predictions is not whole: another run is making it")
    for selected in (assets, ["rds_results"]):
        with pytest.raises(InputError, match=f"{LAST}: "):
            copy.run(LAST, assets=selected)
    assert LAST in find_outdated_days("clusters", copy.game, copy.lake)
    assert (copy.predictions(LAST)["churn_probability"].to_numpy() <= 1).all()
    monkeypatch.undo()
    copy.run(LAST, assets=assets)
    assert find_outdated_days("clusters", copy.game, copy.lake) == []


def test_missing_probabilities_are_no_fault_where_there_is_no_model(copy: Installation) -> None:
    assert read_predictions(day(0), copy.lake)["churn_probability"].null_count > 0
    copy.run(day(0), assets=["predictions"])


def test_predictions_that_are_not_whole_are_not_delivered(copy: Installation) -> None:
    before = copy.delivered()
    # More users in the features than predictions: as if these had been made of other features.
    rows = read_predictions(LAST, copy.lake)
    store_predictions(rows.slice(1), copy)
    selection = dg.AssetSelection.assets("rds_results", "prediction_cache") | (
        dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("predictions"), "are_probabilities"))
    )
    job = dg.define_asset_job("deliver", selection)
    defs = dg.Definitions.merge(copy.defs, dg.Definitions(jobs=[job]))
    result = defs.resolve_job_def("deliver").execute_in_process(
        partition_key=str(LAST), raise_on_error=False
    )
    assert not result.success
    assert result.asset_materializations_for_node("rds_results") == []
    assert copy.delivered() == before


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        (
            "UPDATE player_prediction_loads SET churn_probability = 0.5 WHERE as_of = ?",
            "the rows in the database differ from the predictions",
        ),
        (
            f"UPDATE player_prediction_loads SET cluster_name = 'x' WHERE as_of = ? AND {ONE_USER}",
            "the rows in the database differ from the predictions",
        ),
        (
            f"DELETE FROM player_prediction_loads WHERE as_of = ? AND {ONE_USER}",
            "the database holds {less} rows of {rows}",
        ),
        ("DELETE FROM deliveries WHERE as_of = ?", "not delivered"),
        (
            "UPDATE deliveries SET checksum = 'x' WHERE as_of = ?",
            "the record of the delivery is of rows that differ from the predictions",
        ),
        (
            f"UPDATE deliveries SET checksum = '2-{'0a' * 31}' WHERE as_of = ?",
            "the record of the delivery is of rows that differ from the predictions",
        ),
    ],
)
def test_a_database_that_holds_anything_else_than_the_predictions_fails_the_day(
    copy: Installation, instance: dg.DagsterInstance, statement: str, sentence: str
) -> None:
    rows = read_predictions(LAST, copy.lake).num_rows
    assert run_check(copy, "rds_results", "is_complete", instance).passed
    assert tamper(copy, statement, str(LAST)) > 0
    evaluation = run_check(copy, "rds_results", "is_complete", instance)
    assert not evaluation.passed
    assert evaluation.description == f"{LAST}: {sentence.format(rows=rows, less=rows - 1)}"


def test_rows_that_an_earlier_release_delivered_are_compared_without_its_checksum(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    of_earlier = f"UPDATE deliveries SET checksum = '{'0a' * 32}' WHERE as_of = ?"
    assert tamper(copy, of_earlier, str(LAST)) == 1
    assert run_check(copy, "rds_results", "is_complete", instance).passed
    other_rows = f"UPDATE player_prediction_loads SET cluster = 7 WHERE as_of = ? AND {ONE_USER}"
    assert tamper(copy, other_rows, str(LAST)) == 1
    assert not run_check(copy, "rds_results", "is_complete", instance).passed


def test_a_delivery_that_is_not_complete_does_not_reach_the_cache(copy: Installation) -> None:
    # A trigger that changes what was stored after it has been verified.
    tamper(
        copy,
        "CREATE TRIGGER late AFTER UPDATE ON deliveries BEGIN"
        " UPDATE deliveries SET checksum = 'x' WHERE as_of = NEW.as_of; END",
    )
    with copy.cache() as cache:
        cache.ping()
        cache._client.flushdb()
        with pytest.raises(InputError, match=f"rds_results: {LAST}: the record of the delivery"):
            copy.run(LAST, assets=["rds_results", "prediction_cache"])
        users = read_predictions(LAST, copy.lake)["user_id"].to_pylist()
        assert get_rows(cache, users) == [None] * len(users)


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        ("user_activity", "has_events"),
        ("user_activity", "has_enough_events"),
        ("user_activity", "is_mostly_valid"),
        ("user_activity", "has_few_duplicates"),
        ("user_activity", "has_enough_users"),
        ("user_activity", "is_mostly_on_time"),
        ("predictions", "are_probabilities"),
        ("rds_results", "is_complete"),
    ],
)
def test_a_check_alone_looks_at_the_latest_day(
    instance: dg.DagsterInstance, asset: str, name: str
) -> None:
    evaluation = run_check(finished(), asset, name, instance)
    assert evaluation.passed
    assert evaluation.metadata["days"].value == 1


def test_a_check_of_a_range_looks_at_each_of_its_days_and_no_other(
    instance: dg.DagsterInstance, copy: Installation
) -> None:
    first, last = LAST - dt.timedelta(days=2), LAST
    copy.run(first, last, ["user_activity"], instance)
    (run,) = instance.get_runs()
    records = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    evaluations = [
        record.event_log_entry.dagster_event.asset_check_evaluation_data
        for record in records
        if record.event_log_entry.dagster_event
    ]
    assert {
        evaluation.check_name: evaluation.metadata["days"].value
        for evaluation in evaluations
        if evaluation.check_name != given_up.CHECK  # about runs, not about days
    } == {
        "has_events": 3,
        "has_enough_events": 3,
        "is_mostly_valid": 3,
        "has_few_duplicates": 3,
        "has_enough_users": 3,
        "is_mostly_on_time": 3,
    }


def outcomes(**verdicts: str) -> pd.DataFrame:
    rows = [
        {
            "as_of": day(1),
            "target": target,
            "verdict": verdict,
            "auc": 0.61,
            "promised_auc_low": 0.7,
            "promised_auc_high": 0.8,
            "happened": 0.31,
            "promised_happened_low": 0.1,
            "promised_happened_high": 0.2,
            "drift": 0.4,
            "spend_ratio": 1.4,
            "spend_ratio_low": 1.1,
            "spend_ratio_high": 1.7,
            "spend_verdict": "as_predicted",
        }
        for target, verdict in verdicts.items()
    ]
    return pd.DataFrame(rows)


def test_predictions_that_came_true_as_promised_pass() -> None:
    result = check_outcomes(outcomes(churn="as_promised", payment="too_few_users"), 1)
    assert result.passed
    assert result.description == "1 day(s) checked"
    assert check_outcomes(pd.DataFrame(), 0).passed


def test_predictions_outside_of_what_was_promised_are_a_warning_that_says_why() -> None:
    result = check_outcomes(outcomes(churn="outside", payment="as_promised"), 1)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert result.description == (
        f"{day(1)}: churn predictions are outside (AUC 0.610, promised 0.700 to 0.800; it happened "
        "to 31.0% of the users, promised 0.100 to 0.200; largest drift of a feature 0.40)"
    )


def test_a_useless_model_is_an_error_whatever_else_is_well() -> None:
    result = check_outcomes(outcomes(churn="outside", payment="useless"), 1)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.ERROR
    assert {name: entry.value for name, entry in result.metadata.items()} == {
        "days": 1,
        "outside": 1,
        "useless": 1,
        "spend_differs": 0,
    }


@pytest.mark.parametrize("verdict", ["more_than_predicted", "less_than_predicted"])
def test_total_spend_beyond_noise_is_a_warning_that_says_by_how_much(verdict: str) -> None:
    rows = outcomes(payment="as_promised").assign(spend_verdict=verdict)
    result = check_outcomes(rows, 1)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert result.description == (
        f"{day(1)}: payment spend is {verdict.replace('_', ' ')} (1.40 times the predicted total, "
        "95 % interval 1.100 to 1.700)"
    )
    assert result.metadata["spend_differs"].value == 1


@pytest.mark.parametrize("verdict", [None, "as_predicted", "too_few_users"])
def test_spend_that_proves_nothing_passes(verdict: str | None) -> None:
    assert check_outcomes(outcomes(payment="as_promised").assign(spend_verdict=verdict), 1).passed


def test_outcomes_of_a_month_are_checked_in_its_run(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    copy.run(day(20), day(24), ["prediction_outcomes"], instance)
    records = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("prediction_outcomes"), "are_as_promised"), limit=1
    )
    assert len(records) == 1


@pytest.mark.parametrize(
    ("asset", "name", "compared"),
    [
        ("churn_model", "beats_recency", "AUC "),
        ("churn_model", "is_calibrated", "predicted over observed total "),
        ("payment_model", "is_recent", "trained "),
        ("clusters", "keep_users", "3 clusters, 3 on "),
        ("clusters", "are_of_useful_size", "3 clusters of "),
        ("cluster_profiles", "cover_all_users", "profiles of "),
        ("prediction_cache", "holds_newest_day", f"the cache holds {LAST}, delivered is {LAST}"),
    ],
)
def test_a_check_of_the_newest_day_says_what_it_compared(
    asset: str, name: str, compared: str, copy: Installation, instance: dg.DagsterInstance
) -> None:
    evaluation = run_check(copy, asset, name, instance)
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    assert (evaluation.description or "").startswith(f"{LAST}: {compared}")


def test_checks_of_the_newest_day_pass_where_nothing_is_stored(
    installation: Installation, instance: dg.DagsterInstance
) -> None:
    for asset, name, description in (
        ("payment_model", "beats_recency", "no model is stored"),
        ("clusters", "keep_users", "no clusters are stored"),
        ("cluster_profiles", "cover_all_users", "no profiles are stored"),
        ("prediction_cache", "holds_newest_day", "the cache holds no day, delivered is no day"),
    ):
        evaluation = run_check(installation, asset, name, instance)
        assert (evaluation.passed, evaluation.description) == (True, description)


def test_profiles_of_other_users_and_a_cache_of_another_day_are_warnings(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    rows = read_rows(CLUSTER_PROFILES, LAST, copy.lake)
    store_rows(rows.slice(1), CLUSTER_PROFILES.name, LAST, copy.lake)
    profiles = run_check(copy, "cluster_profiles", "cover_all_users", instance)
    with copy.cache() as cache:
        cache.withdraw([LAST])
    held = run_check(copy, "prediction_cache", "holds_newest_day", instance)
    for evaluation, advice in (
        (profiles, f"materialize cluster_profiles of {LAST} again"),
        (held, "fill it with `ds-assets rebuild-cache`"),
    ):
        assert not evaluation.passed
        assert evaluation.severity is dg.AssetCheckSeverity.WARN
        assert (evaluation.description or "").endswith(f"; {advice}")
