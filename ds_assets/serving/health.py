"""How the service is, and what it has answered, for who watches over it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Breaker = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class Health:
    """How those stand who answer.

    Attributes:
        degraded: Names of parts that are not as they should be.
        as_of: The newest day that is answered from; none where there is no data at all.
        age_seconds: Seconds since the end of that day.
        models: Version of each model that answers, by its kind.
        breakers: State of the circuit breaker around each part.
    """

    degraded: tuple[str, ...] = ()
    as_of: dt.date | None = None
    age_seconds: int | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    breakers: Mapping[str, Breaker] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was answered since the start.

    Attributes:
        sources: Answers by their source.
        cache_hits: Users who were asked of the cache and found.
        cache_misses: Users who were asked of the cache and not found.
    """

    sources: Mapping[str, int] = field(default_factory=dict)
    cache_hits: int = 0
    cache_misses: int = 0
