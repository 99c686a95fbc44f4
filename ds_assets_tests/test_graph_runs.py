"""Runs of the whole graph: the newest day alone, and what a run of the days between makes of it."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import pytest

from ds_assets.core.models.card.model_card import ModelCard
from ds_assets.core.snapshot_days import list_snapshots
from ds_assets.core.targets import targets_of
from ds_assets.graph_runs import GraphRun, GraphRunner, find_newest_day, find_unread_days
from ds_assets.infra.lake.models import stored_card
from ds_assets.infra.lake.tables import read_columns
from ds_assets.runs import StepState
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
    make_played,
)

pytestmark = pytest.mark.slow

LEARNT = dg.AssetSelection.assets("clusters").downstream()


class Steps:
    """Collects what is planned and done, by step."""

    def __init__(self) -> None:
        self.planned: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def plan(self, steps: Iterable[str], days: int) -> None:
        for step in steps:
            self.planned[step] = self.planned.get(step, 0) + days

    def report_step(self, step: str, state: StepState, days: int) -> None:
        if state == "done" and step in self.planned:
            self.done[step] = self.done.get(step, 0) + days


def run_last(installation: Installation, day: dt.date, steps: Steps) -> GraphRun:
    with dg.DagsterInstance.ephemeral() as instance:
        runner = GraphRunner(installation.defs, installation.installed, instance, steps)
        return runner.run_last(day)


@pytest.fixture(scope="module")
def steps() -> Steps:
    return Steps()


@pytest.fixture(scope="module")
def last_only(tmp_path_factory: pytest.TempPathFactory, steps: Steps) -> Installation:
    """The game of `finished`, of which only the last day is predicted."""
    home = tmp_path_factory.mktemp("last") / "home"
    installation, _ = make_played(home, users=300, days=32, seed=5)
    assert find_newest_day(installation.installed) == LAST
    done = run_last(installation, LAST, steps)
    assert (len(done.collected), done.left_out, done.refreshed, done.compared) == (31, [], [], [])
    return installation


def test_the_last_day_has_the_models_of_a_run_over_all_days_apart_from_the_champion(
    last_only: Installation,
) -> None:
    assert sorted(last_only.delivered()) == [LAST]
    for target in targets_of(last_only.game):
        card, usual = (
            stored_card(target, LAST, ModelCard, it.lake) for it in (last_only, finished())
        )
        assert card is not None
        assert usual is not None
        assert (card.state, card.unclustered, card.missing_snapshots) == ("ready", (), ())
        assert (card.rows, card.positives) == (usual.rows, usual.positives)


def test_everything_that_is_planned_is_done(last_only: Installation, steps: Steps) -> None:
    assert steps.done == steps.planned
    assert steps.planned["user_activity"] == 32
    assert steps.planned["predictions"] == 1
    snapshots = {
        day
        for target in targets_of(last_only.game).values()
        for day in list_snapshots(target, LAST, last_only.game)
    }
    features = set(last_only.lake.days("user_features"))
    assert snapshots < features
    assert len(features) < 16


def test_models_of_the_next_days_learn_from_as_many_snapshots_as_in_a_run_over_all_days(
    last_only: Installation, tmp_path: Path
) -> None:
    installation = last_only.copy(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        runner = GraphRunner(installation.defs, installation.installed, instance, Steps())
        assert runner.prepare_next_days(LAST) == []
    stored = installation.lake.days("clusters")
    for target in targets_of(installation.game).values():
        for later in range(1, 8):
            next_day = LAST + dt.timedelta(days=later)
            wanted = list_snapshots(target, next_day, installation.game)
            assert {it for it in wanted if it <= LAST} <= {*stored}
    assert sorted(installation.delivered()) == [LAST]


def test_a_run_of_all_days_afterwards_ends_like_one_that_had_no_last_day_before(
    last_only: Installation, tmp_path: Path
) -> None:
    installation = last_only.copy(tmp_path)
    before = cluster_ids(installation, LAST)
    installation.run(START, LAST, WHOLE_GRAPH - LEARNT)
    installation.run(START, LAST, ["clusters"])
    # Ids that were delivered stay, and the days that are filled in take most of them over.
    assert cluster_ids(installation, LAST) == before
    assert len(cluster_ids(installation, LAST - dt.timedelta(days=1)) & before) >= 2
    # In a run over all days these would have been the first ids.
    for folder in ("clusters", "models/clusters", "provenance/clusters"):
        installation.lake.delete_folder(folder)
    with few_pictures():
        installation.run(START, LAST, LEARNT)
    assert installation.delivered() == finished().delivered()


def test_days_to_read_have_logs_and_were_never_read(tmp_path: Path) -> None:
    installation = make_installation(tmp_path, closed_days=[str(day(1)), str(day(2))])
    for number in (0, 2, 3, 5):
        installation.write_logs(day(number), event(number, f"{day(number)}T10:00:00Z"))
    installation.source(day(1)).mkdir()  # closed, and without a file
    installation.run(START, assets=["raw_logs", "user_activity"])
    installation.run(day(3), assets=["raw_logs"])
    assert find_unread_days(installation.installed, day(4)) == [day(2), day(3)]


def cluster_ids(installation: Installation, day: dt.date) -> set[int]:
    return {*read_columns("clusters", day, ["cluster"], installation.lake)["cluster"]}
