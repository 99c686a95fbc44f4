"""State of the prediction service and its dependencies, for monitoring."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MAX_LAG_DAYS = 14
"""Days by which predictions may lag before the service is not ready: the default horizon. Older
predictions are about days that are over."""

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Health:
    """State of the prediction service and its dependencies.

    Attributes:
        degraded: Names of the dependencies that do not work as they should.
        as_of: The newest day that answers come from; none if there is no data at all.
        age_seconds: Seconds since the end of that day.
        models: Version of each model in use, by what it predicts.
        breakers: State of each dependency's circuit breaker.
        foreign: Names of the dependencies that hold another installation's predictions, which are
            not served.
        lag_days: Days between `as_of` and the newest day of the game that has ended.
    """

    degraded: tuple[str, ...] = ()
    as_of: dt.date | None = None
    age_seconds: int | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    breakers: Mapping[str, BreakerState] = field(default_factory=dict)
    lag_days: int | None = None
    foreign: tuple[str, ...] = ()

    @property
    def is_outdated(self) -> bool:
        """Whether the newest predictions are too old to be used."""
        return self.lag_days is not None and self.lag_days > MAX_LAG_DAYS


@dataclass(frozen=True, slots=True)
class Counts:
    """Counters since the start.

    Attributes:
        sources: Answers by source.
        cache_hits: Users looked up in the cache and found.
        cache_misses: Users looked up in the cache and not found.
    """

    sources: Mapping[str, int] = field(default_factory=dict)
    cache_hits: int = 0
    cache_misses: int = 0
