"""What is delivered with a day: its predictions, and what is known of its models and clusters."""

from pathlib import Path

import pytest

from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.tables import CLUSTER_PROFILES, MODEL_METRICS
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.tables import read_rows
from ds_assets_tests.assets.factories import LAST, START, day, finished
from ds_assets_tests.infra.results.databases import read_report

pytestmark = pytest.mark.slow

DAYS = [day(number) for number in range(32)]


def test_every_day_has_the_profiles_of_its_clusters() -> None:
    installation = finished()
    with installation.results() as database:
        for as_of in DAYS:
            expected = read_rows(CLUSTER_PROFILES, as_of, installation.lake)
            assert read_report(database, CLUSTER_PROFILES, as_of).equals(expected)
        assert read_report(database, CLUSTER_PROFILES, LAST).num_rows == 3


def test_a_day_has_every_measure_of_its_model_cards() -> None:
    installation = finished()
    with installation.results() as database:
        metrics = read_report(database, MODEL_METRICS, LAST).to_pandas()
    for target in ("churn", "payment"):
        card = stored_card(target, LAST, ModelCard, installation.lake)
        assert card is not None
        assert card.evaluation is not None
        rows = metrics[(metrics["target"] == target) & (metrics["segment"] == "all")]
        assert set(rows["snapshot"]) == {fold.snapshot for fold in card.folds}
        latest = rows[rows["snapshot"] == card.evaluation.snapshot]
        assert set(latest["contender"]) == set(card.evaluation.contenders)
        auc = latest[(latest["contender"] == "delivered") & (latest["measure"] == "auc")]
        measured = card.evaluation.measures.auc
        assert auc[["value", "low", "high"]].to_numpy().tolist() == [
            [measured.value, measured.low, measured.high]
        ]
        groups = {group.group for group in card.groups if group.measures is not None}
        apart = set(metrics[metrics["target"] == target]["segment"]) - {"all", "first_week"}
        assert apart == groups


def test_a_day_without_models_has_no_measures() -> None:
    with finished().results() as database:
        assert read_report(database, MODEL_METRICS, START).num_rows == 0


def test_a_day_that_is_delivered_again_has_the_same_reports(tmp_path: Path) -> None:
    installation = finished().copy(tmp_path)
    with installation.results() as database:
        before = [read_report(database, table) for table in (MODEL_METRICS, CLUSTER_PROFILES)]
    installation.run(LAST, assets=("rds_results",))
    with installation.results() as database:
        after = [read_report(database, table) for table in (MODEL_METRICS, CLUSTER_PROFILES)]
    assert all(old.equals(new) for old, new in zip(before, after, strict=True))
