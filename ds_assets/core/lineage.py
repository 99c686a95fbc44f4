"""What each asset is made from, declared once: dependencies and provenance follow from it.

Scope: which days of which assets are read for a day, and what is stored of it. How an asset reads
its inputs is in the asset.
"""

import datetime as dt
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from ds_assets.closed_days import NO_CLOSED_DAYS, ClosedDays
from ds_assets.core.cohorts import HISTORY_DAYS
from ds_assets.core.day_ranges import list_days
from ds_assets.core.game_settings import COHORTS, LIFETIMES, NO_SETTINGS, GameSettings, settings_of
from ds_assets.core.lifetimes import PERIOD_DAYS, WAIT_DAYS
from ds_assets.core.open_days import add_open_days, most_days, subtract_open_days
from ds_assets.core.promotion_days import (
    EFFECTS_LEARNT_DAYS,
    EFFECTS_PERIOD,
    SHOWN_LATE_DAYS,
    days_in_effect,
    days_looked_back,
)
from ds_assets.core.tables import (
    PROMOTION_CHANGES,
    PROMOTION_OFFERS,
    PROMOTION_OUTCOMES,
    PROMOTION_RESULTS,
    PROMOTION_SHOWN,
    PROMOTIONS,
    TARGET_PREDICTIONS,
    USER_EFFECTS,
)
from ds_assets.core.targets import Target, targets_of
from ds_assets.game import Game

RAW_LOGS = "raw_logs"
EFFECT_MODELS = "effect_models"
EFFECTS = "effects/"
"""Begins the kind of the models of a promotion's effect, which no target can be named like."""
USABLE_WHEN_REFUSED = frozenset({RAW_LOGS, LIFETIMES, EFFECT_MODELS})
"""Assets whose days others are made from although the activity of the day is refused: a roll-up of
lifetimes, and effect models, read no refused activity, and serve the days after it as well."""
WEEK = 7
"""Days over which changes of cluster are counted: on the same weekday users are alike."""
LONGEST_PAUSE = 7
"""Days without a model over which the last one still counts as the one before."""


@dataclass(frozen=True)
class Reads:
    """Days of an asset that another asset reads for each of its own days.

    Attributes:
        asset: Name of the asset that is read.
        earliest: The first of these days, in days before the day that is made; negative if later.
        latest: The last of them, likewise.
        is_history: Whether the day that is made stays valid when they change. Clusters and models
            continue those of the day before, and models learn from a quarter of a year: without the
            exception each correction of an old day would make every later day again, though the
            next model learns from the correction anyway.
        is_loop: Whether the asset that is read is made from the one that reads it, of earlier days.
            Dagster knows no such loop: it is not among the dependencies of the asset in the UI.
        windows: Numbers of days, from the first one on, that are read together or not at all; none
            where each day is read that is there.
        closed_days: Days that do not count in these numbers, and that a window does not wait for.
        is_without_withdrawn: Whether assignments of promotions that were withdrawn are left out, so
            that a withdrawal is a change of their days.
    """

    asset: str
    earliest: int = 0
    latest: int = 0
    is_history: bool = False
    is_loop: bool = False
    windows: tuple[int, ...] = ()
    closed_days: ClosedDays = NO_CLOSED_DAYS
    is_without_withdrawn: bool = False

    def days(self, day: dt.date, stored: Container[dt.date]) -> list[dt.date]:
        """The days that are read for a day, ascending, given those that are stored."""
        return [read for read in self._span(day, stored) if read in stored]

    def closed_days_in(self, day: dt.date, stored: Container[dt.date]) -> list[dt.date]:
        """The closed days among them, stored or not: that they are closed is an input, too."""
        if not self.closed_days:
            return []
        return [read for read in self._span(day, stored) if read in self.closed_days]

    @property
    def offsets(self) -> tuple[int, int]:
        """The first and the last day that can be read: `earliest` and `latest` in all days."""
        earliest, latest = self.earliest, self.latest
        return (
            most_days(earliest, self.closed_days) if earliest > 0 else earliest,
            -most_days(-latest, self.closed_days) if latest < 0 else latest,
        )

    def _span(self, day: dt.date, stored: Container[dt.date]) -> list[dt.date]:
        """All days from the first to the last one."""
        if not self.windows:
            last = day - dt.timedelta(days=self.latest)
            return list_days(subtract_open_days(day, self.earliest, self.closed_days), last)
        first = day - dt.timedelta(days=self.earliest)
        ends = (add_open_days(day, count, self.closed_days) for count in self.windows)
        spans = (list_days(first, end) for end in ends)
        return max((span for span in spans if self._is_complete(span, stored)), key=len, default=[])

    def _is_complete(self, window: Iterable[dt.date], stored: Container[dt.date]) -> bool:
        return all(day in stored or day in self.closed_days for day in window)


@dataclass(frozen=True)
class Lineage:
    """What an asset is made from, and what is stored of each of its days.

    Attributes:
        reads: What it is made from.
        tables: Tables that it stores in the lake; none for a delivery.
        models: Kinds of models that it stores in the lake.
        settings: The game file that it is made with.
        period: Days from one stored day to the next.
        first_day: First day of the game; earlier ones are neither made nor read.
        last_day: Last day of the game; later ones are not made.
    """

    reads: tuple[Reads, ...] = ()
    tables: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    settings: GameSettings = NO_SETTINGS
    period: int = 1
    first_day: dt.date = dt.date.min
    last_day: dt.date = dt.date.max

    def is_made_on(self, day: dt.date) -> bool:
        """Whether a day of the asset is one of those that are stored."""
        is_within = self.first_day <= day <= self.last_day
        return is_within and day.toordinal() % self.period == 0


def lineage_of(game: Game) -> Mapping[str, Lineage]:
    """The lineage of each asset by name, every asset after those that it reads."""
    settings, last_day = settings_of(game), game.last_day or dt.date.max
    return {
        asset: replace(lineage, settings=settings, first_day=game.first_day, last_day=last_day)
        for asset, lineage in _lineages(game).items()
    }


def _lineages(game: Game) -> Mapping[str, Lineage]:
    targets = targets_of(game).values()
    models = tuple(Reads(target.model_asset) for target in targets)
    later_activity = _later_activity({target.maturity_days for target in targets}, game)
    clusters_before = Reads("clusters", LONGEST_PAUSE, 1, is_history=True)
    clusters_week_before = Reads("clusters", WEEK, WEEK, is_history=True)
    features, clusters, predictions = map(Reads, ("user_features", "clusters", "predictions"))
    return {
        RAW_LOGS: Lineage(),
        "user_activity": Lineage((Reads(RAW_LOGS),), ("user_activity",)),
        LIFETIMES: Lineage(
            (
                Reads("user_activity", PERIOD_DAYS + WAIT_DAYS, closed_days=game.closed_days),
                Reads(LIFETIMES, PERIOD_DAYS, PERIOD_DAYS),
            ),
            (LIFETIMES,),
            period=PERIOD_DAYS,
        ),
        "user_features": Lineage(
            (
                Reads("user_activity", game.lookback_days, closed_days=game.closed_days),
                Reads(LIFETIMES, PERIOD_DAYS - 1),
            ),
            ("user_features",),
        ),
        COHORTS: Lineage(
            (Reads("user_activity", HISTORY_DAYS), Reads(LIFETIMES, PERIOD_DAYS - 1)), (COHORTS,)
        ),
        "clusters": Lineage((features, clusters_before), ("clusters",), ("clusters",)),
        **{target.model_asset: _model(target) for target in targets},
        "predictions": Lineage(
            (features, clusters, *models), ("predictions", TARGET_PREDICTIONS.name)
        ),
        "cluster_profiles": Lineage(
            (features, clusters, clusters_week_before, predictions), ("cluster_profiles",)
        ),
        **_promotions(game),
        "rds_results": Lineage(
            (predictions, *models, Reads("cluster_profiles"), Reads(COHORTS), *_in_effect(game))
        ),
        # After the results, so that the cache never has a newer day than the table.
        "prediction_cache": Lineage((Reads("rds_results"), predictions, *_in_effect(game))),
        "prediction_outcomes": Lineage(
            (predictions, features, later_activity), ("prediction_outcomes",)
        ),
        **_promotion_results(game),
    }


def _promotions(game: Game) -> Mapping[str, Lineage]:
    """The lineages of what there is in a game with promotions."""
    if not game.promotions:
        return {}
    before = Reads(PROMOTIONS.name, days_looked_back(game), 1, is_history=True)
    predicted = (Reads("predictions"), Reads("user_features"))
    changes, offers = PROMOTION_CHANGES.name, PROMOTION_OFFERS.name
    days_before = Reads(changes, LONGEST_PAUSE, 1, is_history=True)
    in_effect = Reads(PROMOTIONS.name, days_in_effect(game), 1, is_history=True)
    can_be_shown = Reads(PROMOTIONS.name, days_in_effect(game) + SHOWN_LATE_DAYS)
    return {
        EFFECT_MODELS: _effect_models(game),
        USER_EFFECTS.name: Lineage(
            (*predicted, Reads(EFFECT_MODELS, EFFECTS_PERIOD - 1)), (USER_EFFECTS.name,)
        ),
        PROMOTIONS.name: Lineage(
            (*predicted, Reads(USER_EFFECTS.name), before), (PROMOTIONS.name,)
        ),
        # What was stored of a day was acted on: later changes are those of the next day.
        changes: Lineage((Reads(PROMOTIONS.name), in_effect, days_before), (changes, offers)),
        PROMOTION_SHOWN.name: Lineage(
            (Reads("user_activity"), can_be_shown), (PROMOTION_SHOWN.name,)
        ),
    }


def _effect_models(game: Game) -> Lineage:
    """The lineage of `effect_models`: like other models, they stay valid when old days change."""
    oldest = days_behind_effects(game)
    reads = (
        Reads("user_features", oldest, is_history=True),
        Reads("user_activity", oldest, is_history=True),
        Reads(PROMOTIONS.name, oldest, 1, is_history=True, is_loop=True),
    )
    kinds = tuple(map(effect_kind, game.promotions))
    return Lineage(reads, models=kinds, period=EFFECTS_PERIOD)


def effect_kind(promotion: str) -> str:
    """Kind of the models of a promotion's effect, beside those of targets and clusters."""
    return f"{EFFECTS}{promotion}"


def days_behind_effects(game: Game) -> int:
    """Days before a day whose assignments its effect models learn from."""
    matured = max(map(game.maturity_days, promotion_horizons(game)))
    return most_days(matured, game.closed_days) + EFFECTS_LEARNT_DAYS


def _in_effect(game: Game) -> tuple[Reads, ...]:
    """The assignments that can be in effect at the end of a day."""
    reads = Reads(PROMOTIONS.name, days_in_effect(game), is_without_withdrawn=True)
    return (reads,) if game.promotions else ()


def _promotion_results(game: Game) -> Mapping[str, Lineage]:
    """The lineage of `promotion_results`, likewise."""
    if not game.promotions:
        return {}
    matured = {game.maturity_days(days) for days in promotion_horizons(game)}
    last = most_days(max(matured), game.closed_days)
    # Who saw an offer is known by the time at which a day is compared, or does not count.
    shown = Reads(PROMOTION_SHOWN.name, -1, -last, is_history=True)
    # Earlier days are read as far as they are stored: a user counts from the first assignment on.
    reads = (Reads(PROMOTIONS.name), shown, _later_activity(matured, game))
    return {
        PROMOTION_RESULTS.name: Lineage(reads, (PROMOTION_RESULTS.name, PROMOTION_OUTCOMES.name))
    }


def promotion_horizons(game: Game) -> set[int]:
    """Open days after which the outcomes of promotions are over: of every game's, and their own."""
    others = max(target.horizon for target in targets_of(game).values() if target.is_built_in)
    return {max(others, game.horizon_of(it.target)) for it in game.promotions.values()}


def _later_activity(matured: Iterable[int], game: Game) -> Reads:
    """Activity of the label windows after a day, each read as a whole or not at all."""
    windows = tuple(sorted(matured))
    return Reads("user_activity", -1, -windows[-1], windows=windows, closed_days=game.closed_days)


def days_behind_predictions(game: Game) -> int:
    """Days before a day that its predictions read: snapshots of its models, and their activity."""
    oldest = max(_oldest_snapshot(target) for target in targets_of(game).values())
    return oldest + most_days(game.lookback_days, game.closed_days)


def days_until_outcomes(game: Game) -> int:
    """Days after a day until the outcomes of all its predictions are known."""
    return max(
        most_days(target.maturity_days, target.closed_days) for target in targets_of(game).values()
    )


def _oldest_snapshot(target: Target) -> int:
    """Age of the oldest snapshot that a model learns from, in days before the model."""
    wait = most_days(target.maturity_days, target.closed_days)
    return wait + target.step * (target.max_snapshots - 1)


def _model(target: Target) -> Lineage:
    oldest = _oldest_snapshot(target)
    reads = (
        Reads("clusters"),
        Reads("clusters", oldest, 1, is_history=True),  # of the validation snapshots
        Reads("user_features", oldest, is_history=True),
        Reads("user_activity", oldest, is_history=True),
        Reads(target.model_asset, LONGEST_PAUSE, 1, is_history=True),
    )
    return Lineage(reads, models=(target.name,))
