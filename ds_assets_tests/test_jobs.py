"""The jobs of the operator: examining logs, answering for users, removing expired days."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.compute as pc
import pytest

from ds_assets.definitions import build_defs
from ds_assets.installation import operator_name
from ds_assets_tests.assets.factories import (
    LAST,
    START,
    Installation,
    day,
    event,
    finished,
    make_installation,
)
from ds_assets_tests.infra.factories import put

pytestmark = pytest.mark.slow

NOBODY = "nobody knows them"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return finished().copy(tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="module")
def user(copy: Installation) -> str:
    return str(copy.predictions(LAST)["user_id"][0])


@pytest.fixture(autouse=True)
def empty_cache(copy: Installation) -> Iterator[None]:
    with copy.cache() as cache:
        cache.ping()
        cache._client.flushdb()
        yield


def serve(installation: Installation, *users: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of the metadata's table, and the rest of the metadata."""
    config = {"ops": {"answer": {"config": {"user_ids": list(users)}}}}
    job = installation.defs.resolve_job_def("serve_predictions")
    result = job.execute_in_process(run_config=config)
    (output,) = result.get_step_success_events()
    assert output.node_name == "answer"
    (handled,) = [event for event in result.all_events if event.is_successful_output]
    metadata = dict(handled.step_output_data.metadata)
    table = metadata.pop("answers")
    assert isinstance(table, dg.TableMetadataValue)
    assert [column.name for column in table.schema.columns][:3] == ["user_id", "status", "source"]
    rows = [dict(record.data) for record in table.records]
    return rows, {name: value.value for name, value in metadata.items()}


def test_a_user_in_the_cache_is_answered_from_the_cache(copy: Installation, user: str) -> None:
    with copy.cache() as cache:
        put(cache, LAST, copy.predictions(LAST))
    ((row,), counts) = serve(copy, user)
    # The simulated days are long over.
    assert (row["user_id"], row["status"], row["source"]) == (user, "stale", "cache")
    assert row["as_of"] == str(LAST)
    assert 0 <= row["churn_probability"] <= 1
    assert counts == {"degraded": "", "from_cache": 1}


def test_with_an_empty_cache_the_table_answers_and_the_cache_learns_it(
    copy: Installation, user: str
) -> None:
    (first,), counts = serve(copy, user)
    (second,), _ = serve(copy, user)
    assert (first["source"], second["source"]) == ("table", "cache")
    assert {**first, "source": "", "age_seconds": 0} == {**second, "source": "", "age_seconds": 0}
    assert counts["from_table"] == 1


def test_without_cache_and_table_the_live_model_answers_the_same_and_the_cache_learns_it(
    copy: Installation, user: str, tmp_path: Path
) -> None:
    bare = copy.copy(tmp_path)
    Path(bare.settings.results_url.removeprefix("sqlite:///")).unlink()
    with bare.cache() as cache:
        cache.ping()
        cache._client.flushdb()
    (stored,), _ = serve(copy, user)
    (live,), counts = serve(bare, user)
    assert (stored["source"], live["source"]) == ("table", "live")
    assert live["churn_probability"] == pytest.approx(stored["churn_probability"], abs=1e-6)
    assert live["payment_probability"] == pytest.approx(stored["payment_probability"], abs=1e-6)
    same = ("user_id", "status", "as_of", "cluster", "cluster_name", "churn_model")
    assert [live[name] for name in same] == [stored[name] for name in same]
    assert counts["from_live"] == 1
    (again,), _ = serve(bare, user)
    assert again["source"] == "cache"


def test_a_user_whom_nothing_knows_is_unknown(copy: Installation, user: str) -> None:
    rows, counts = serve(copy, NOBODY, user, NOBODY)
    assert [row["user_id"] for row in rows] == [NOBODY, user, NOBODY]
    assert [row["status"] for row in rows] == ["unknown_user", "stale", "unknown_user"]
    assert rows[0]["source"] == "default"
    mean = pc.mean(copy.predictions(LAST)["churn_probability"]).as_py()
    assert rows[0]["churn_probability"] == pytest.approx(mean)
    assert counts == {"degraded": "", "from_default": 1, "from_table": 1}


def test_a_user_of_a_game_that_has_just_begun_is_answered_with_not_enough_data(
    tmp_path: Path,
) -> None:
    young = make_installation(tmp_path)
    young.write_logs(day(0), *(event(n, f"{START}T10:00:00Z", f"u{n}") for n in range(40)))
    young.run(START)
    (row,), _ = serve(young, "u7")
    assert (row["status"], row["source"], row["as_of"]) == ("not_enough_data", "cache", str(START))
    assert row["churn_probability"] is None


def test_before_anything_has_run_the_answer_says_that_there_is_no_model(tmp_path: Path) -> None:
    (row,), counts = serve(make_installation(tmp_path), "u1")
    assert (row["status"], row["source"]) == ("not_enough_data", "default")
    assert counts["degraded"] == "live"


def test_without_user_ids_and_predictions_the_run_fails_with_a_sentence(tmp_path: Path) -> None:
    job = make_installation(tmp_path).defs.resolve_job_def("serve_predictions")
    result = job.execute_in_process(raise_on_error=False)
    (failure,) = [it for it in result.all_events if it.is_step_failure]
    user_data = failure.step_failure_data.user_failure_data
    assert user_data is not None
    assert str(user_data.description).startswith("user_ids: found none, and there are no")


@pytest.mark.parametrize(
    "config",
    [
        {"ops": {"answer": {"config": {"user_ids": "u1"}}}},
        {"ops": {"answer": {"config": {"user_ids": [1]}}}},
        {"ops": {"answer": {"config": {"user_ids": ["u1"], "users": ["u1"]}}}},
    ],
)
def test_a_run_config_that_is_wrong_is_refused_before_the_run(
    copy: Installation, config: dict[str, Any]
) -> None:
    job = copy.defs.resolve_job_def("serve_predictions")
    with pytest.raises(dg.DagsterInvalidConfigError, match=r"user_ids|answer"):
        job.execute_in_process(run_config=config)


def decide(installation: Installation, job: str, day: str) -> dg.ExecuteInProcessResult:
    config = {"ops": {f"{job}_op": {"config": {"day": day, "reason": "a holiday"}}}}
    resolved = installation.defs.resolve_job_def(job)
    return resolved.execute_in_process(run_config=config, raise_on_error=False)


def test_a_day_is_refused_and_accepted_by_jobs_that_show_it_at_the_asset(
    copy: Installation,
) -> None:
    for job, verdict in (("refuse_day", "refused"), ("accept_day", "accepted")):
        result = decide(copy, job, str(LAST))
        assert result.success
        (event,) = [it for it in result.all_events if it.is_asset_observation]
        observation = event.asset_observation_data.asset_observation
        assert observation.partition == str(LAST)
        sentence = f"{LAST} is {verdict} by {operator_name()}: a holiday"
        assert observation.description == sentence


@pytest.mark.parametrize(
    ("day", "sentence"),
    [
        ("tomorrow", "day: found 'tomorrow'; write a date, for example 2026-01-31"),
        (str(LAST), f"{LAST} is not refused; there is nothing to accept"),
    ],
)
def test_a_day_that_cannot_be_accepted_fails_the_job_with_a_sentence(
    copy: Installation, day: str, sentence: str
) -> None:
    (failure,) = [it for it in decide(copy, "accept_day", day).all_events if it.is_step_failure]
    user_data = failure.step_failure_data.user_failure_data
    assert user_data is not None
    assert user_data.description == sentence


def test_a_promotion_is_paused_withdrawn_and_resumed_by_jobs_of_a_game_that_has_any(
    tmp_path: Path,
) -> None:
    promotions = {"bundle": {"who": "churn_probability > 0.4"}}
    installation = make_installation(tmp_path, promotions=promotions)
    choices = {"pause": "paused", "withdraw": "withdrawn", "resume": "resumed"}
    for job, choice in ((f"{verb}_promotion", choice) for verb, choice in choices.items()):
        config = {"ops": {f"{job}_op": {"config": {"promotion": "bundle", "reason": "a test"}}}}
        result = installation.defs.resolve_job_def(job).execute_in_process(run_config=config)
        (event,) = [it for it in result.all_events if it.is_asset_observation]
        description = event.asset_observation_data.asset_observation.description
        assert str(description).startswith(f"bundle is {choice} by {operator_name()} on ")


def test_collecting_a_day_is_a_run_of_its_own(tmp_path: Path) -> None:
    installation = make_installation(tmp_path)
    installation.write_logs(day(0), event(1, f"{START}T10:00:00Z"))
    job = installation.defs.resolve_job_def("collect_logs")
    assert job.execute_in_process(partition_key=str(START)).success
    assert installation.lake.days("raw") == [START]
    assert installation.lake.days("user_activity") == []


def test_age_counts_from_the_end_of_the_as_of_day(copy: Installation, user: str) -> None:
    ((row,), _) = serve(copy, user)
    end = dt.datetime.combine(LAST + dt.timedelta(days=1), dt.time(), dt.UTC)
    expected = (dt.datetime.now(dt.UTC) - end).total_seconds()
    assert row["age_seconds"] == pytest.approx(max(expected, 0), abs=60)


def test_expired_days_are_removed_and_counted_in_the_ui(tmp_path: Path) -> None:
    installation = make_installation(tmp_path)
    for number in range(4):
        installation.lake.write(f"user_activity/dt={day(number)}/user_activity.parquet", b"x")
        installation.lake.write(f"quarantine/dt={day(number)}/quarantine.parquet", b"x")
    expiring = replace(
        installation.installed,
        settings=installation.settings.model_copy(update={"quarantine_days": 1}),
    )
    job = build_defs(expiring).resolve_job_def("remove_expired_days")
    result = job.execute_in_process()
    assert installation.lake.days("quarantine") == [day(3)]
    assert len(installation.lake.days("user_activity")) == 4
    (metadata,) = [
        it.step_output_data.metadata for it in result.all_events if it.is_successful_output
    ]
    text = f"3 days before {day(3)} removed: 3 files of 3 bytes"
    assert {name: value.value for name, value in metadata.items()} == {"quarantine": text}


def examine(installation: Installation, **config: Any) -> dg.ExecuteInProcessResult:
    job = installation.defs.resolve_job_def("examine_logs")
    run_config = {"ops": {"examine_logs_op": {"config": config}}}
    return job.execute_in_process(run_config=run_config, raise_on_error=False)


def findings(table: dg.MetadataValue) -> list[dict[str, Any]]:
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def test_the_examination_of_logs_is_on_the_page_of_raw_logs(copy: Installation) -> None:
    result = examine(copy, day=f"{LAST}")
    assert result.success
    (observed,) = (it for it in result.all_events if it.is_asset_observation)
    observation = observed.asset_observation_data.asset_observation
    assert (observation.asset_key.to_user_string(), observation.partition) == (
        "raw_logs",
        f"{LAST}",
    )
    lines = observation.metadata["lines"].value
    assert isinstance(lines, int)
    assert lines > 0
    assert observation.metadata["valid_lines"].value == lines
    (output,) = (it for it in result.all_events if it.is_successful_output)
    listed = findings(output.step_output_data.metadata["findings"])
    assert {"severity", "code", "finding"} == set(listed[0])


def test_the_examination_refuses_a_day_that_is_no_date(copy: Installation) -> None:
    result = examine(copy, day="yesterday")
    assert not result.success
    (failure,) = (it for it in result.all_events if it.is_step_failure)
    error = failure.step_failure_data.error
    assert error is not None
    assert "day: found 'yesterday'; write a date, for example 2026-01-31" in error.message
