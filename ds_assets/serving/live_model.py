"""The live model: the newest day's models, applied to what is known of users at the time of asking.

Belongs here: which stored day answers, and when a newer one takes its place. How a user is scored
is `core`'s, and gives what the batch gives.
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
from ds_assets.core.models.inference.online import OnlineScorer, Record, User
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake, LakeUnavailable, day_folder
from ds_assets.infra.lake.models import CLUSTERS, day_models, model_tags
from ds_assets.infra.lake.tables import table_file
from ds_assets.serving.online_features import OnlineStore
from ds_assets.serving.sources import LiveLoading, LiveUnavailable

if TYPE_CHECKING:
    from ds_assets.infra.engines.event_features import EventFeatures

LOOK_EVERY = 2.0
"""Seconds between two looks for a newer day; a look lists a few folders of the lake."""
FIRST_WAIT = 10.0
"""Seconds that a caller waits for the first day; later ones are loaded while the last answers."""
TRY_AGAIN_AFTER = 60.0
"""Seconds until files are read again that were damaged: it takes long to find the same damage."""
_ENGINE_MB = 128
"""Memory of the engine for the events of one request."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoredEvents:
    """What events say.

    Attributes:
        records: A row of `PREDICTIONS` for each user who is active, by user id.
        rejected: The lines that are no events.
    """

    records: list[Record]
    rejected: list[RejectedLine]


@dataclass(frozen=True)
class _Day:
    """A day in memory: its models, its features, and the tags of the files they came from."""

    tags: Mapping[str, str]
    scorer: OnlineScorer
    features: OnlineStore


class LakeModel:
    """Scores users with the newest day's models. Threads may share it.

    A day is kept in memory. Whether there is a newer one, or a newer model of the day, is looked at
    now and then in a thread of its own, when there are requests: it is loaded aside and takes the
    place of the last as a whole, and none of them waits. While the lake is lost, or what is new
    there is damaged, the last one answers.

    Args:
        lake: Where days are.
        game: What events mean.
        clock: Seconds on any clock that goes forward.
    """

    def __init__(self, lake: Lake, game: Game, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._game = game
        self._clock = clock
        self._day: _Day | None = None
        self._trouble: str | None = None
        self._refused: tuple[Mapping[str, str], float] | None = None
        self._looked_at = -LOOK_EVERY
        self._looking: threading.Thread | None = None
        self._lock = threading.Lock()
        self._refreshing = threading.Lock()
        self._events: EventFeatures | None = None
        self._opening = threading.Lock()
        self._loading_events: threading.Thread | None = None

    @property
    def trouble(self) -> str | None:
        """Why the last look ended without the newest day in memory; None if it did not."""
        return self._trouble

    def score(self, user_ids: Sequence[str], *, reasons: bool = True) -> list[Record]:
        """Predictions of those users who are in the newest features; the others are left out.

        Raises:
            LiveUnavailable: there is no day with features and models, or they do not fit.
        """
        day = self._newest()
        users = day.features.find(user_ids)
        try:
            return day.scorer.score([*users.values()], reasons=reasons)
        except InputError as error:
            raise LiveUnavailable(str(error)) from None

    def score_features(self, users: Sequence[User], *, reasons: bool = True) -> list[Record]:
        """Predictions of users of whom all features are given; see `OnlineScorer.score`.

        Raises:
            LiveUnavailable: there is no day with models.
            InputError: a feature is missing or has the wrong type; the message names all of them.
        """
        return self._newest().scorer.score(users, reasons=reasons)

    def score_events(
        self, lines: Mapping[dt.date, Sequence[str]], as_of: dt.date, *, reasons: bool = True
    ) -> ScoredEvents:
        """Predictions of users whose events are given, as they are at the end of a day.

        The first call takes seconds, as the engine is loaded.

        Args:
            lines: All events of the users that features look back on; see `EventFeatures.of`.
            as_of: The day.
            reasons: Whether to tell reasons.

        Raises:
            LiveUnavailable: there is no day with models, or its models need other features.
        """
        scorer = self._newest().scorer
        found = self._event_features().of(lines, as_of)
        try:
            records = scorer.score(found.users, reasons=reasons, as_of=as_of)
        except InputError as error:
            raise LiveUnavailable(str(error)) from None
        return ScoredEvents(records, found.rejected)

    def score_lines(
        self, lines: Sequence[str], as_of: dt.date, *, reasons: bool = True
    ) -> list[Record]:
        """As `score_events`, of lines that have arrived on that day, for who cannot wait.

        Raises:
            LiveLoading: the engine is not there yet; from now on it is being loaded.
            LiveUnavailable: as `score_events`.
            InputError: a line is no event; the message says which, and why.
        """
        if self._events is None:
            self._load_events()
            raise LiveLoading("the engine that reads raw events is being loaded")
        found = self.score_events({as_of: lines}, as_of, reasons=reasons)
        for one in found.rejected:
            raise InputError(f"event {one.line} cannot be used: {one.reason}")
        return found.records

    def look(self) -> threading.Thread | None:
        """Begin to look for a newer day, if it is time for that.

        Returns:
            The thread that does it, or did it last.
        """
        with self._lock:
            is_time = self._clock() - self._looked_at >= LOOK_EVERY
            if is_time and (self._looking is None or not self._looking.is_alive()):
                self._looked_at = self._clock()
                self._looking = threading.Thread(target=self.refresh, daemon=True)
                self._looking.start()
            return self._looking

    def refresh(self) -> None:
        """Look for a newer day, and load it if there is one; what goes wrong is `trouble`."""
        with self._refreshing:
            try:
                self._load_newest()
            except (InputError, OSError, LakeUnavailable, LiveUnavailable) as error:
                self._trouble = str(error)
                _log.warning("the live model stays as it is: %s", error)
            else:
                self._trouble = None

    def _newest(self) -> _Day:
        """The day in memory; a look for a newer one begins, if it is time for one."""
        looking = self.look()
        if self._day is None and looking is not None:
            looking.join(FIRST_WAIT)
        if self._day is None:
            raise LiveUnavailable(self._trouble or "the models are still being loaded")
        return self._day

    def _load_newest(self) -> None:
        day, tags = self._newest_stored()
        if self._day is not None and tags == self._day.tags:
            return
        refused, since = self._refused or (None, 0.0)
        if refused == tags and self._clock() - since < TRY_AGAIN_AFTER:
            raise LiveUnavailable(self._trouble or "")
        try:
            scorer = OnlineScorer(day_models(day, self._lake), declare_features(self._game))
            loaded = _Day(tags, scorer, self._store(day))
        except (InputError, LiveUnavailable):
            self._refused = tags, self._clock()
            raise
        if self._tags(day) == tags:  # else it was replaced meanwhile: the next look takes it
            self._day = loaded

    def _store(self, day: dt.date) -> OnlineStore:
        name = table_file("user_features", day)
        file = self._lake.local(name)
        try:
            return OnlineStore(file)
        except (ArrowInvalid, OSError) as error:
            raise LiveUnavailable(f"{name} of {self._lake} cannot be read: {error}") from None

    def _newest_stored(self) -> tuple[dt.date, Mapping[str, str]]:
        for day in reversed(self._lake.days(f"models/{CLUSTERS}")):
            if (tags := self._tags(day)) is not None:
                return day, tags
        raise LiveUnavailable(f"the lake {self._lake} holds no day with features and models")

    def _tags(self, day: dt.date) -> Mapping[str, str] | None:
        """Tags of all files of a day; None where one is missing that it needs."""
        name = table_file("user_features", day)
        features = self._lake.objects(day_folder("user_features", day))
        found = {one.name: one.tag for one in features if one.name == name}
        models = model_tags(day, self._lake) if found else None
        return None if models is None else found | models

    def _load_events(self) -> None:
        with self._lock:
            if self._loading_events is None:
                self._loading_events = threading.Thread(target=self._event_features, daemon=True)
                self._loading_events.start()

    def _event_features(self) -> "EventFeatures":
        with self._opening:
            if self._events is None:
                # loads the engine, which few processes need
                from ds_assets.infra.engines.duckdb import open_duckdb  # noqa: PLC0415
                from ds_assets.infra.engines.event_features import EventFeatures  # noqa: PLC0415

                events = EventFeatures(self._game, open_duckdb(_ENGINE_MB, threads=1))
                events.of({}, self._game.first_day)  # the first time takes many times as long
                self._events = events
            return self._events
