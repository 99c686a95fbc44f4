"""The live model: the newest day's models, applied to users at the time of the request.

Scope: which stored day is used, and when a newer one replaces it. The scoring itself is in
`core/models/inference`, and gives the same results as the batch.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyarrow import ArrowInvalid

from ds_assets.core.events import RejectedLine
from ds_assets.core.feature_catalog import declare_features
from ds_assets.core.game_settings import LIFETIMES
from ds_assets.core.models.inference.online import OnlineScorer, Record, User
from ds_assets.core.tables import PROMOTIONS as ASSIGNMENTS
from ds_assets.core.targets import custom_targets, targets_of
from ds_assets.core.user_offers import PROMOTIONS
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.installation_ids import read_lake_id
from ds_assets.infra.lake.base import Lake, LakeUnavailable, day_folder
from ds_assets.infra.lake.models import CLUSTERS, day_models, model_tags
from ds_assets.infra.lake.offers import offers_in_effect
from ds_assets.infra.lake.promotion_decisions import list_withdrawals
from ds_assets.infra.lake.provenance import Records
from ds_assets.infra.lake.tables import StoredDay, open_day, open_days, table_file
from ds_assets.serving.online_features import OnlineFeatures
from ds_assets.serving.online_offers import OnlineOffers
from ds_assets.serving.sources import LiveLoading, LiveUnavailable
from ds_assets.serving.unusable_events import UnusableEventsError

if TYPE_CHECKING:
    from ds_assets.infra.engines.event_features import EventFeatures

REFRESH_INTERVAL_S = 2.0
"""Seconds between two checks for a newer day; a check lists a few folders of the lake."""
FIRST_LOAD_TIMEOUT_S = 10.0
"""Seconds that a request waits for the first day; later days are loaded in the background."""
DAMAGED_RETRY_S = 60.0
"""Seconds before damaged files are read again, because finding the same damage is slow."""
_ENGINE_MB = 128
"""Memory limit of the engine for the events of one request."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoredEvents:
    """Predictions from events.

    Attributes:
        records: A row of `PREDICTIONS` for each active user.
        rejected: The lines that are not events.
    """

    records: list[Record]
    rejected: list[RejectedLine]


@dataclass(frozen=True)
class _Day:
    """A day in memory: its models, features and offers, and the tags of the files they are from.

    With it the days of the stored roll-ups of lifetimes, which raw events continue.
    """

    tags: Mapping[str, str]
    scorer: OnlineScorer
    features: OnlineFeatures
    offers: OnlineOffers
    roll_ups: tuple[dt.date, ...]

    def with_offers(self, records: Sequence[Record]) -> list[Record]:
        """Add the offers of users, as the table and the cache have them."""
        return [
            {**record, PROMOTIONS: offers}
            if (offers := self.offers.find(record["user_id"]))
            else record
            for record in records
        ]


class LakeModel:
    """Scores users with the newest day's models. Threads can share it.

    One day is held in memory. While there are requests, a thread checks regularly for a newer day
    or a newer model of that day, loads it and then replaces the old one as a whole; no request
    waits for that. If the lake is unavailable, or the new files are damaged, the old one stays.

    Args:
        lake: The lake.
        game: The game, for the meaning of raw events.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, lake: Lake, game: Game, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._game = game
        self._targets = tuple(targets_of(game))
        self._clock = clock
        self._day: _Day | None = None
        self._load_error: str | None = None
        self._damaged: tuple[Mapping[str, str], float] | None = None
        self._checked_at = -REFRESH_INTERVAL_S
        self._refresh_thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._events: EventFeatures | None = None
        self._opening = threading.Lock()
        self._loading_events: threading.Thread | None = None

    @property
    def load_error(self) -> str | None:
        """Why the newest day could not be loaded; none if it could, or was not tried yet."""
        return self._load_error

    def lake_id(self) -> str | None:
        """Id of the lake; none before the first delivery.

        Raises:
            InputError: the id is damaged.
            LakeUnavailable: the lake cannot be used.
        """
        return read_lake_id(self._lake)

    def score(self, user_ids: Sequence[str], *, reasons: bool = True) -> list[Record]:
        """Score those users who have stored features; the others are left out.

        Raises:
            LiveUnavailable: no day has features and models, or they do not match.
        """
        day = self._newest()
        users = day.features.find(user_ids)
        try:
            return day.with_offers(day.scorer.score([*users.values()], reasons=reasons))
        except InputError as error:
            raise LiveUnavailable(str(error)) from None

    def score_features(self, users: Sequence[User], *, reasons: bool = True) -> list[Record]:
        """Score users from complete features; see `OnlineScorer.score`.

        Raises:
            LiveUnavailable: no day has models.
            InputError: a feature is missing or has the wrong type; the message names all of them.
        """
        day = self._newest()
        return day.with_offers(day.scorer.score(users, reasons=reasons))

    def score_events(
        self, lines: Mapping[dt.date, Sequence[str]], as_of: dt.date, *, reasons: bool = True
    ) -> ScoredEvents:
        """Score users from their raw events, as of the end of a day.

        The first call takes seconds, because it loads the engine.

        Args:
            lines: All events of the users within the features' windows, by arrival day.
            as_of: The day.
            reasons: Whether to explain the predictions.

        Raises:
            LiveUnavailable: no day has models, or they need other features.
        """
        day = self._newest()
        features = self._event_features().of(lines, as_of, self._open_roll_up(day, as_of))
        try:
            records = day.scorer.score(features.users, reasons=reasons, as_of=as_of)
        except InputError as error:
            raise LiveUnavailable(str(error)) from None
        return ScoredEvents(day.with_offers(records), features.rejected)

    def score_lines(
        self, lines: Sequence[str], as_of: dt.date, *, reasons: bool = True
    ) -> list[Record]:
        """As `score_events`, of lines that arrived on that day, without waiting for the engine.

        Raises:
            LiveLoading: the engine is being loaded.
            LiveUnavailable: as `score_events`.
            UnusableEventsError: lines are not events.
        """
        if self._events is None:
            self._load_events()
            raise LiveLoading("the engine for raw events is being loaded")
        scored = self.score_events({as_of: lines}, as_of, reasons=reasons)
        if scored.rejected:
            raise UnusableEventsError({it.line - 1: it.reason for it in scored.rejected})
        return scored.records

    def start_refresh(self) -> threading.Thread | None:
        """Start to check for a newer day, unless that was done a moment ago.

        Returns:
            The thread that checks, or last did.
        """
        with self._lock:
            is_due = self._clock() - self._checked_at >= REFRESH_INTERVAL_S
            if is_due and (self._refresh_thread is None or not self._refresh_thread.is_alive()):
                self._checked_at = self._clock()
                self._refresh_thread = threading.Thread(target=self.refresh, daemon=True)
                self._refresh_thread.start()
            return self._refresh_thread

    def refresh(self) -> None:
        """Load the newest day if it is not loaded; errors are kept in `load_error`."""
        with self._refreshing:
            try:
                self._load_newest()
            except (InputError, OSError, LakeUnavailable, LiveUnavailable) as error:
                self._load_error = str(error)
                _log.warning("live model refresh failed, keeping the loaded one: %s", error)
            else:
                self._load_error = None

    def _newest(self) -> _Day:
        """The day in memory; also starts a check for a newer one, if one is due."""
        loading = self.start_refresh()
        if self._day is None and loading is not None:
            loading.join(FIRST_LOAD_TIMEOUT_S)
        if self._day is None:
            raise LiveUnavailable(self._load_error or "the models are still loading")
        return self._day

    def _load_newest(self) -> None:
        day, tags = self._newest_stored()
        if self._day is not None and tags == self._day.tags:
            return
        damaged, since = self._damaged or (None, 0.0)
        if damaged == tags and self._clock() - since < DAMAGED_RETRY_S:
            raise LiveUnavailable(self._load_error or "")
        try:
            models = day_models(day, self._lake, self._targets)
            own_targets = custom_targets(self._game).values()
            scorer = OnlineScorer(
                models, declare_features(self._game), own_targets, self._game.closed_days
            )
            roll_ups = tuple(Records({}, self._lake).usable_files(LIFETIMES))
            offers = OnlineOffers(offers_in_effect(day, self._lake, self._game))
            loaded = _Day(tags, scorer, self._load_features(day), offers, roll_ups)
        except (InputError, LiveUnavailable):
            self._damaged = tags, self._clock()
            raise
        if (
            self._tags(day) == tags
        ):  # otherwise it was replaced meanwhile, and the next check loads it
            self._day = loaded

    def _load_features(self, day: dt.date) -> OnlineFeatures:
        name = table_file("user_features", day)
        try:
            return OnlineFeatures(open_day("user_features", day, self._lake).file)
        except (InputError, ArrowInvalid, OSError) as error:
            raise LiveUnavailable(f"{name} of {self._lake} cannot be read: {error}") from None

    def _open_roll_up(self, day: _Day, as_of: dt.date) -> dict[dt.date, StoredDay]:
        """Open the newest roll-up up to a day; empty where there is none."""
        roll_ups = [roll_up for roll_up in day.roll_ups if roll_up <= as_of]
        try:
            return open_days(LIFETIMES, roll_ups[-1:], self._lake)
        except (InputError, OSError) as error:
            raise LiveUnavailable(f"a roll-up of lifetimes cannot be read: {error}") from None

    def _newest_stored(self) -> tuple[dt.date, Mapping[str, str]]:
        refused = Records({}, self._lake).refused_days()
        for day in reversed(self._lake.days(f"models/{CLUSTERS}")):
            if day not in refused and (tags := self._tags(day)) is not None:
                return day, tags
        raise LiveUnavailable(f"no model to score with yet: the lake {self._lake} has none")

    def _tags(self, day: dt.date) -> Mapping[str, str] | None:
        """Tags of all files of a day; None if a required one is missing."""
        name = table_file("user_features", day)
        stored = self._lake.objects(day_folder("user_features", day))
        features = {file.name: file.tag for file in stored if file.name == name}
        models = model_tags(day, self._lake, self._targets) if features else None
        return None if models is None else {**features, **models, **self._tags_of_promotions(day)}

    def _tags_of_promotions(self, day: dt.date) -> dict[str, str]:
        """Tags of the day's assignments, which are made after its models, and of withdrawals."""
        if not self._game.promotions:
            return {}
        stored = self._lake.objects(day_folder(ASSIGNMENTS.name, day))
        withdrawn = {" ".join(map(str, it)): "withdrawn" for it in list_withdrawals(self._lake)}
        return {file.name: file.tag for file in stored} | withdrawn

    def _load_events(self) -> None:
        with self._lock:
            if self._loading_events is None:
                self._loading_events = threading.Thread(target=self._event_features, daemon=True)
                self._loading_events.start()

    def _event_features(self) -> "EventFeatures":
        with self._opening:
            if self._events is None:
                # imports the engine, which few processes need
                from ds_assets.infra.engines.duckdb import open_duckdb  # noqa: PLC0415
                from ds_assets.infra.engines.event_features import EventFeatures  # noqa: PLC0415

                events = EventFeatures(self._game, open_duckdb(_ENGINE_MB, threads=1))
                events.of({}, self._game.first_day)  # the first call is many times slower
                self._events = events
            return self._events
