"""The graph's shape, and what the UI shows of it."""

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ds_assets.assets.target_model import TARGET_TAG
from ds_assets.core.game_tables import user_activity_table, user_features_table
from ds_assets.core.schema import Table
from ds_assets.core.tables import (
    CLUSTER_PROFILES,
    CLUSTERS,
    COHORTS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
)
from ds_assets.definitions import build_defs, installed_defs
from ds_assets.errors import InputError
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.installation import Installation
from ds_assets.sensors.given_up import FIRST_ASSETS
from ds_assets.settings import load_settings
from ds_assets_tests.core.factories import make_game

ENDED = {"last_day": dt.date(2024, 12, 31)}

# group, kinds, and what is read: the days before that are read, to the day itself where not said.
SHAPE: dict[str, tuple[str, set[str], dict[str, tuple[int, int]]]] = {
    "raw_logs": ("logs", {"file"}, {}),
    "user_activity": ("features", {"duckdb", "parquet"}, {"raw_logs": (0, 0)}),
    "user_lifetimes": (
        "features",
        {"duckdb", "parquet"},
        {"user_activity": (-56, 0), "user_lifetimes": (-28, -28)},
    ),
    "user_features": (
        "features",
        {"duckdb", "parquet"},
        {"user_activity": (-90, 0), "user_lifetimes": (-27, 0)},
    ),
    "cohorts": (
        "predictions",
        {"duckdb", "matplotlib"},
        {"user_activity": (-56, 0), "user_lifetimes": (-27, 0)},
    ),
    "clusters": (
        "models",
        {"scikitlearn", "parquet"},
        {"user_features": (0, 0), "clusters": (-7, -1)},
    ),
    "churn_model": (
        "models",
        {"lightgbm", "parquet"},
        {
            "clusters": (-189, 0),
            "user_features": (-189, 0),
            "user_activity": (-189, 0),
            "churn_model": (-7, -1),
        },
    ),
    "payment_model": (
        "models",
        {"lightgbm", "parquet"},
        {
            "clusters": (-189, 0),
            "user_features": (-189, 0),
            "user_activity": (-189, 0),
            "payment_model": (-7, -1),
        },
    ),
    "predictions": (
        "predictions",
        {"duckdb", "parquet"},
        {
            "user_features": (0, 0),
            "clusters": (0, 0),
            "churn_model": (0, 0),
            "payment_model": (0, 0),
        },
    ),
    "cluster_profiles": (
        "predictions",
        {"pandas", "matplotlib"},
        {"user_features": (0, 0), "clusters": (-7, 0), "predictions": (0, 0)},
    ),
    "rds_results": (
        "delivery",
        {"sqlite"},
        {
            "predictions": (0, 0),
            "churn_model": (0, 0),
            "payment_model": (0, 0),
            "cluster_profiles": (0, 0),
            "cohorts": (0, 0),
        },
    ),
    "prediction_cache": ("delivery", {"valkey"}, {"rds_results": (0, 0), "predictions": (0, 0)}),
    "prediction_outcomes": (
        "predictions",
        {"duckdb", "sqlite"},
        {"predictions": (0, 0), "user_features": (0, 0), "user_activity": (1, 14)},
    ),
}


def defs(**changes: Any) -> dg.Definitions:
    return build_defs(Installation(load_settings({"home": Path("nowhere")}), make_game(**changes)))


def spec(definitions: dg.Definitions, name: str) -> dg.AssetSpec:
    return definitions.resolve_assets_def(name).get_asset_spec()


def reads(asset_spec: dg.AssetSpec) -> dict[str, tuple[int, int]]:
    offsets = {}
    for dep in asset_spec.deps:
        mapping = dep.partition_mapping
        assert mapping is None or isinstance(mapping, dg.TimeWindowPartitionMapping)
        both = (mapping.start_offset, mapping.end_offset) if mapping else (0, 0)
        offsets[dep.asset_key.to_user_string()] = both
    return offsets


def test_the_graph_has_this_shape() -> None:
    definitions = defs()
    graph = definitions.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == set(SHAPE)
    specs = {name: spec(definitions, name) for name in SHAPE}
    assert {
        name: (asset_spec.group_name, set(asset_spec.kinds), reads(asset_spec))
        for name, asset_spec in specs.items()
    } == SHAPE


def test_a_game_with_promotions_assigns_them_between_predictions_and_delivery() -> None:
    promoted = defs(promotions={"bundle": {"who": "churn_probability > 0.4", "cool_down": 30}})
    asset = spec(promoted, "promotions")
    assert (asset.group_name, set(asset.kinds)) == ("predictions", {"duckdb", "parquet"})
    today = dict.fromkeys(("predictions", "user_features", "user_effects"), (0, 0))
    assert reads(asset) == today | {"promotions": (-30, -1)}
    assert reads(spec(promoted, "user_effects"))["effect_models"] == (-6, 0)
    # That they are learnt from earlier assignments would be a loop in Dagster's graph.
    assert reads(spec(promoted, "effect_models")) == {
        "user_features": (-105, 0),
        "user_activity": (-105, 0),
    }
    assert reads(spec(promoted, "rds_results"))["promotions"] == (-14, 0)
    graph = promoted.resolve_asset_graph()
    of_promotions = (
        *("effect_models", "user_effects", "promotions"),
        *("promotion_changes", "promotion_shown", "promotion_results"),
    )
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {*SHAPE, *of_promotions}
    for name in ("prediction_cache", "promotion_changes"):
        assert reads(spec(promoted, name))["promotions"] == (-14, 0)
        assert spec(promoted, name).group_name == "delivery"
    assert reads(spec(promoted, "promotion_shown"))["promotions"] == (-21, 0)
    checks = {key.to_user_string() for key in graph.asset_check_keys}
    assert "promotions:are_running" in checks


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"source_url": "s3://logs", "lake_url": "https://a.blob.core.windows.net/lake"},
            {
                "raw_logs": {"s3", "azure"},
                "rds_results": {"sqlite"},
                "prediction_cache": {"valkey"},
            },
        ),
        (
            {"results_url": "mysql+pymysql://u:p@h/d", "cache_url": "rediss://h:6379/0"},
            {"raw_logs": {"file"}, "rds_results": {"mysql"}, "prediction_cache": {"redis"}},
        ),
        (
            {"results_url": "postgresql+psycopg://u:p@h/d", "spark_master": "local[2]"},
            {
                "rds_results": {"postgresql"},
                "user_activity": {"spark", "parquet"},
                "prediction_outcomes": {"spark", "postgresql"},
            },
        ),
    ],
)
def test_kinds_are_what_the_installation_runs_on(
    changes: dict[str, str], expected: dict[str, set[str]]
) -> None:
    settings = load_settings({"home": Path("nowhere"), **changes})
    definitions = build_defs(Installation(settings, make_game()))
    assert {name: set(spec(definitions, name).kinds) for name in expected} == expected


def test_every_asset_has_an_owner_a_description_daily_partitions_and_ranges_in_one_run() -> None:
    definitions = defs()
    for name in SHAPE:
        asset, asset_spec = definitions.resolve_assets_def(name), spec(definitions, name)
        assert list(asset_spec.owners) == ["team:player-insights"]
        assert asset_spec.description is not None
        assert asset_spec.description.endswith(".")
        assert isinstance(asset_spec.partitions_def, dg.DailyPartitionsDefinition)
        assert asset.backfill_policy == dg.BackfillPolicy.single_run()


def test_the_assets_of_a_game_that_goes_on_must_stay_fresh() -> None:
    definitions = defs()
    fresh = {name: spec(definitions, name).freshness_policy for name in SHAPE}
    expected = dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(hours=36))
    assert fresh == dict.fromkeys(SHAPE, expected)


def test_the_assets_of_a_game_that_has_ended_need_not_be_fresh() -> None:
    definitions = defs(**ENDED)
    assert {spec(definitions, name).freshness_policy for name in SHAPE} == {None}


def test_partitions_are_the_days_of_the_game_in_its_zone() -> None:
    partitions = spec(defs(time_zone="Asia/Seoul", **ENDED), "clusters").partitions_def
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    assert partitions.timezone == "Asia/Seoul"
    assert partitions.get_partition_keys()[0] == "2024-01-01"
    assert partitions.get_partition_keys()[-1] == "2024-12-31"


@pytest.mark.parametrize(
    ("asset", "table"),
    [
        ("user_activity", user_activity_table(make_game())),
        ("user_features", user_features_table(make_game())),
        ("clusters", CLUSTERS),
        ("predictions", PREDICTIONS),
        ("cluster_profiles", CLUSTER_PROFILES),
        ("cohorts", COHORTS),
        ("rds_results", PREDICTIONS),
        ("prediction_outcomes", PREDICTION_OUTCOMES),
    ],
)
def test_the_columns_of_a_stored_table_are_shown_with_type_and_meaning(
    asset: str, table: Table
) -> None:
    schema = spec(defs(), asset).metadata["dagster/column_schema"]
    shown = schema.value if isinstance(schema, dg.TableSchemaMetadataValue) else schema
    assert isinstance(shown, dg.TableSchema)
    ui = {
        "text": "string",
        "json": "string",
        "integer": "int",
        "real": "float",
        "date": "date",
        "time": "datetime",
    }
    assert [
        (column.name, column.type, column.description, column.constraints.nullable)
        for column in shown.columns
    ] == [
        (column.name, ui[column.type], column.description, column.nullable)
        for column in table.columns
    ]


@pytest.mark.parametrize("target", ["churn", "payment"])
def test_the_model_of_a_target_can_be_selected_by_its_tag(target: str) -> None:
    selection = dg.AssetSelection.tag(TARGET_TAG, target)
    selected = selection.resolve(defs().resolve_asset_graph())
    assert selected == {dg.AssetKey(f"{target}_model")}


def test_what_must_not_run_twice_at_once_is_in_a_pool() -> None:
    definitions = defs()
    pools = {name: definitions.resolve_assets_def(name).op.pool for name in SHAPE}
    assert {name: pool for name, pool in pools.items() if pool} == {
        "user_activity": "event_ids",
        "user_lifetimes": "user_lifetimes",
        "clusters": "cluster_ids",
        "rds_results": "results_database",
        "prediction_outcomes": "results_database",
    }


def test_every_check_of_data_that_others_are_made_from_blocks_what_comes_after_it() -> None:
    of_models = {
        f"{model}:{name}"
        for model in ("churn_model", "payment_model")
        for name in ("beats_recency", "is_calibrated", "is_recent")
    }
    given_up = {f"{asset}:is_not_given_up" for asset in FIRST_ASSETS.values()}
    graph = defs().resolve_asset_graph()
    checks = {key.to_user_string(): graph.get_check_spec(key) for key in graph.asset_check_keys}
    assert set(checks) == {
        "user_activity:has_events",
        "user_activity:has_enough_events",
        "user_activity:is_mostly_valid",
        "user_activity:has_few_duplicates",
        "user_activity:has_enough_users",
        "user_activity:is_mostly_on_time",
        "user_features:has_whole_windows",
        "predictions:are_probabilities",
        "rds_results:is_complete",
        "prediction_outcomes:are_as_promised",
        "raw_logs:has_no_missing_days",
        "clusters:keep_users",
        "clusters:are_of_useful_size",
        "cluster_profiles:cover_all_users",
        "prediction_cache:holds_newest_day",
        *of_models,
        *given_up,
    }
    assert all(check.description for check in checks.values())
    free = {name for name, check in checks.items() if not check.blocking}
    assert free == {
        "user_features:has_whole_windows",
        "prediction_outcomes:are_as_promised",
        "raw_logs:has_no_missing_days",
        "clusters:keep_users",
        "clusters:are_of_useful_size",
        "cluster_profiles:cover_all_users",
        "prediction_cache:holds_newest_day",
        *of_models,
        *given_up,
    }


def test_jobs_and_sensors_are_these() -> None:
    definitions, daily = defs(), set(SHAPE) - {"prediction_outcomes"}
    jobs = {
        job.name: {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        for job in definitions.resolve_all_job_defs()
        if not job.name.startswith("__")
    }
    assert jobs == {
        "collect_logs": {"raw_logs"},
        "daily_predictions": daily - {"raw_logs"},
        "predict_again": daily - {"raw_logs", "user_activity"},
        "deliver_again": {"rds_results", "prediction_cache"},
        "judge_predictions": {"prediction_outcomes"},
        "serve_predictions": set(),
        "examine_logs": set(),
        "accept_day": set(),
        "refresh": set(),
        "refuse_day": set(),
        "remove_expired_days": set(),
    }
    schedules = [(s.name, s.job_name) for s in definitions.get_repository_def().schedule_defs]
    assert schedules == [("daily_retention", "remove_expired_days")]
    sensors = [
        (s.name, [target.job_name for target in s.targets])
        for s in definitions.get_repository_def().sensor_defs
    ]
    reasons = ["daily_predictions", "predict_again", "deliver_again", "judge_predictions"]
    assert sorted(sensors) == [("log_source", ["collect_logs"]), ("raw_files", reasons)]


def test_a_game_with_promotions_measures_them_once_their_horizon_is_over() -> None:
    definitions = defs(promotions={"bundle": {"who": "churn_probability > 0.4"}})
    asset_spec = spec(definitions, "promotion_results")
    assert asset_spec.kinds == {"duckdb", "sqlite", "matplotlib"}
    assert reads(asset_spec)["user_activity"] == (1, 14)
    jobs = {job.name: job for job in definitions.resolve_all_job_defs()}
    with_results = {
        name: "promotion_results"
        in {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
        for name, job in jobs.items()
    }
    assert {name for name, is_made in with_results.items() if is_made and "__" not in name} == {
        "judge_predictions"
    }
    checks = definitions.resolve_asset_graph().asset_check_keys
    assert dg.AssetCheckKey(dg.AssetKey("promotion_results"), "do_no_harm") in checks


def test_everything_that_is_referred_to_is_there() -> None:
    dg.Definitions.validate_loadable(defs())
    dg.Definitions.validate_loadable(defs(**ENDED))


def test_a_resource_can_be_replaced_by_name(tmp_path: Path) -> None:
    other = dg.ResourceDefinition(lambda _: FolderLake(tmp_path))
    installation = Installation(load_settings({"home": Path("nowhere")}), make_game())
    definitions = build_defs(installation, {"lake": other})
    resources = definitions.resources or {}
    assert resources["lake"] is other
    others = {"log_source", "engine", "results", "cache", "webhook", "assignment_files"}
    assert set(resources) == {"lake", *others}


def test_a_mistake_in_the_environment_stops_the_installation_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DS_ASSETS_GAME", str(tmp_path / "nothing.yaml"))
    with pytest.raises(InputError, match=r"there is no game file at .*nothing\.yaml"):
        installed_defs()
