"""Runs of the whole graph in this process: a range of days, or the newest day alone.

Scope: which days of which assets are run, in which order. How days are run is in `runs`.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import dagster as dg

from ds_assets.core.day_ranges import list_days
from ds_assets.core.game_settings import ACTIVITY, FEATURES, LIFETIMES
from ds_assets.core.lineage import RAW_LOGS, lineage_of
from ds_assets.core.models.training.early import choose_check_horizon
from ds_assets.core.open_days import subtract_open_days
from ds_assets.core.run_order import split_into_runs
from ds_assets.core.snapshot_days import find_chain_days, list_snapshots
from ds_assets.core.targets import targets_of
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.labels import find_stored_due_outcomes
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.raw_logs import RAW, list_source_day
from ds_assets.infra.lake.tables import between, count_rows
from ds_assets.infra.log_source.day_folders import DayFolders
from ds_assets.infra.newest_logs import newest_day
from ds_assets.installation import Installation
from ds_assets.jobs import DAILY, OUTCOMES, PREDICTED
from ds_assets.runs import (
    RUN_ID,
    RunObserver,
    find_outdated_days,
    materialize_days,
    materialize_ranges,
    plan_ranges,
)

CLUSTERS = "clusters"
_A_DAY, _A_WEEK = dt.timedelta(days=1), dt.timedelta(weeks=1)
_COLLECTED = dg.AssetSelection.assets(RAW_LOGS, ACTIVITY)
_SNAPSHOTS = dg.AssetSelection.assets(LIFETIMES, FEATURES)
_CLUSTERED_SNAPSHOTS = dg.AssetSelection.assets(LIFETIMES, FEATURES, CLUSTERS)


@dataclass(frozen=True)
class GraphRun:
    """What a run of the whole graph did besides what it stored.

    Attributes:
        collected: Days whose logs it has collected and read before the days that it was for.
        left_out: A sentence for each reason why days were left out.
        refreshed: Days that were made again, as they look back on the days of the run.
        compared: Days whose predictions were compared with what happened afterwards.
    """

    collected: list[dt.date] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    refreshed: list[dt.date] = field(default_factory=list)
    compared: list[dt.date] = field(default_factory=list)


@dataclass(frozen=True)
class GraphRunner:
    """Runs the whole graph of an installation.

    Attributes:
        defs: The graph.
        installation: The installation that it runs on.
        instance: Where the runs are recorded.
        observer: Receives the start and the end of each step.
    """

    defs: dg.Definitions
    installation: Installation
    instance: dg.DagsterInstance
    observer: RunObserver

    @property
    def _game(self) -> Game:
        return self.installation.game

    @property
    def _lake(self) -> Lake:
        return self.installation.lake()

    def run(self, first: dt.date, last: dt.date) -> GraphRun:
        """Materialize a range of days, what it makes outdated, and outcomes that are due.

        Days before it whose logs were never read are collected and read first: features look back
        on them. So are the snapshots before it that its models learn from.

        Raises:
            InputError: the game has no such days, or a run failed.
            Unavailable: a run failed because a server cannot be used.
        """
        earlier = [day for day in find_unread_days(self.installation, last) if day < first]
        left_out = self._materialize_apart(_COLLECTED, earlier)
        left_out += self._materialize_snapshots(list_days(first, last), first - _A_DAY)
        left_out += self._materialize(DAILY, first, last)
        refreshed = self._refresh(last)
        return GraphRun(earlier, left_out, refreshed, self._compare_outcomes())

    def run_last(self, day: dt.date) -> GraphRun:
        """Materialize a day with its models, and of the days before only what these are made from.

        That is the activity of all days, and features and clusters of the snapshots that models of
        the day learn from.

        Raises:
            InputError: the game has no such day, or the run of the day failed.
            Unavailable: a run failed because a server cannot be used.
        """
        unread = find_unread_days(self.installation, day)
        left_out = self._materialize_apart(_COLLECTED, sorted({*unread, day}))
        left_out += self._materialize_snapshots([day], day)
        left_out += self._materialize(PREDICTED, day, day)
        earlier = [it for it in unread if it != day]
        return GraphRun(earlier, left_out, self._refresh(day), self._compare_outcomes())

    def prepare_next_days(self, day: dt.date) -> list[str]:
        """Materialize the snapshots up to a day that models of the week after it learn from.

        They are of other days of the week than those of the day's own models.

        Returns:
            A sentence for each reason why days were left out.
        """
        return self._materialize_snapshots(list_days(day + _A_DAY, day + _A_WEEK), day)

    def _materialize_snapshots(self, days: Sequence[dt.date], until: dt.date) -> list[str]:
        """Materialize those days, up to one of them, that the models of some days are made from."""
        game, lake = self._game, self._lake
        stored = [it for it in open_records(game, lake).usable_days(ACTIVITY) if it <= until]
        latest = {it for day in days for it in find_latest_snapshots(day, stored, game)}
        left_out = self._materialize_apart(_SNAPSHOTS, self._without_current(FEATURES, latest))
        # How many snapshots a model learns from depends on the users of the latest.
        wanted = {it for day in days for it in find_days_behind(day, stored, lake, game)}
        return left_out + self._materialize_apart(
            _CLUSTERED_SNAPSHOTS, self._without_current(CLUSTERS, wanted)
        )

    def _without_current(self, asset: str, days: Collection[dt.date]) -> list[dt.date]:
        current = open_records(self._game, self._lake).current_days(asset)
        return sorted(day for day in days if day not in current)

    def _materialize(self, assets: dg.AssetSelection, first: dt.date, last: dt.date) -> list[str]:
        ranges = [(first, last)]
        return materialize_ranges(self.defs, assets, ranges, self.instance, self.observer)

    def _materialize_apart(self, assets: dg.AssetSelection, days: Sequence[dt.date]) -> list[str]:
        """Materialize days in runs of a month at most; a run that fails leaves out its days."""
        ranges = [(days[0], days[-1]) for days in split_into_runs(days, lambda _: 0)]
        left_out: list[str] = []
        plan_ranges(self.defs, assets, ranges, self.observer)
        for first, last in ranges:
            try:
                left_out += materialize_days(
                    self.defs, assets, first, last, self.instance, self.observer
                )
            except InputError as error:
                lines = str(error).splitlines()
                left_out += [line for line in lines if not line.startswith(RUN_ID)]
        return left_out

    def _refresh(self, last: dt.date) -> list[dt.date]:
        """Materialize again what days have made outdated: activity that repeats, and features."""
        game, lake = self._game, self._lake
        repeating = _find_repeating_days(game, lake)
        for days in split_into_runs(repeating, lambda _: 0):
            self._materialize(dg.AssetSelection.assets(ACTIVITY), days[0], days[-1])
        first_later = min([last + _A_DAY, *repeating])
        last_later = max([last, *repeating]) + dt.timedelta(days=game.lookback_days)
        later = between(find_outdated_days(FEATURES, game, lake), first_later, last_later)
        for days in split_into_runs(later, lambda _: 0):
            self._materialize(PREDICTED, days[0], days[-1])
        return sorted({*repeating, *later})

    def _compare_outcomes(self) -> list[dt.date]:
        """Compare the predictions with what happened whose outcomes are due. Returns their days."""
        due = find_stored_due_outcomes(Records(lineage_of(self._game), self._lake), self._game)
        if due:
            self._materialize(OUTCOMES, due[0], due[-1])
        return due


def _find_repeating_days(game: Game, lake: Lake) -> list[dt.date]:
    """Find the days whose `user_activity` repeats events of a day that was made after them."""
    recorded = open_records(game, lake).recorded_days(ACTIVITY)
    outdated = find_outdated_days(ACTIVITY, game, lake)
    return [day for day in outdated if day in recorded and recorded[day].is_marked]


def find_unread_days(installation: Installation, last: dt.date) -> list[dt.date]:
    """Find the days up to a day with logs, in the source or the lake, that were never read."""
    game, lake = installation.game, installation.lake()
    records = open_records(game, lake)
    days = list_days(max(game.first_day, records.first_kept_day), last)
    folders = DayFolders(installation.log_source())
    in_lake, in_source = {*lake.days(RAW)}, {*folders.find_days(days)}
    unread = (day for day in days if day not in records.recorded_days(ACTIVITY))
    return [
        day
        for day in unread
        if day in in_lake or (day in in_source and _is_to_be_read(day, folders, game))
    ]


def _is_to_be_read(day: dt.date, folders: DayFolders, game: Game) -> bool:
    """Whether a day with a folder in the source has logs; only a closed day needs none."""
    if day not in game.closed_days:
        return True
    return bool(list_source_day(day, folders, game.logs).logs)


def find_newest_day(installation: Installation) -> dt.date:
    """Find the newest day with logs, in the source or the lake.

    Raises:
        InputError: there is none.
    """
    game = installation.game
    folders = DayFolders(installation.log_source())
    in_source = folders.find_newest_days(game.first_day, newest_day(game))
    in_lake = between(installation.lake().days(RAW), game.first_day, newest_day(game))
    if not (days := [*in_source, *in_lake]):
        raise InputError(f"there are no logs in {installation.log_source()} and the lake")
    return max(days)


def find_latest_snapshots(day: dt.date, stored: Collection[dt.date], game: Game) -> list[dt.date]:
    """The latest snapshot of each target that a model of a day can learn from, ascending.

    Args:
        day: The day.
        stored: Days with activity.
        game: The game.
    """
    listed = (list_snapshots(target, day, game) for target in targets_of(game).values())
    return sorted({max(days) for it in listed if (days := [own for own in it if own in stored])})


def find_days_behind(
    day: dt.date, stored: Collection[dt.date], lake: Lake, game: Game
) -> list[dt.date]:
    """The days before a day whose features and clusters its models are made from, ascending.

    Args:
        day: The day.
        stored: Days with activity.
        lake: Has the features of the latest snapshots.
        game: The game.
    """
    features = open_records(game, lake).usable_days(FEATURES)
    snapshots: set[dt.date] = set()
    checks: set[dt.date] = set()
    for target in targets_of(game).values():
        listed = list_snapshots(target, day, game)
        latest = max((it for it in listed if it in features), default=None)
        users = 0 if latest is None else count_rows(FEATURES, latest, lake)
        snapshots.update(listed[-target.count_snapshots(users) :])
        horizon = choose_check_horizon(target, len(stored))
        checks.add(subtract_open_days(day, horizon, game.closed_days))
    wanted = snapshots | checks | {*find_chain_days(day, snapshots)}
    return sorted(it for it in wanted if it in stored and it != day)
