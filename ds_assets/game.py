"""The game: what one validated file, `game.yaml`, says about a game's logs and predictions.

Belongs here: the shape of that file, its rules, and clear messages when it breaks them.
Does not belong here: addresses, credentials, engines (`settings.py`), and anything that computes.
"""

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from ds_assets.errors import InputError, describe_mistakes

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,47}")


def _plain_name(name: str) -> str:
    if not IDENTIFIER.fullmatch(name):
        raise ValueError("use lower-case letters, digits and _, a letter first, 48 at most")
    return name


def _field_path(path: str) -> str:
    if not path or any(not part for part in path.split(".")):
        raise ValueError("use a field's name, or names joined by dots for a nested field")
    if any(character in path for character in "\"'\\\n"):
        raise ValueError("quotes, backslashes and line ends cannot stand in a field's path")
    return path


Name = Annotated[str, AfterValidator(_plain_name)]
FieldPath = Annotated[str, AfterValidator(_field_path)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Logs(_Part):
    """Where the log files of a day lie in the source, and what is in them."""

    path: str = "dt=%Y-%m-%d"
    """Folder of one day in the source, in strftime's words."""
    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    time_format: Literal["iso8601", "epoch_seconds", "epoch_milliseconds"] = "iso8601"

    @field_validator("path")
    @classmethod
    def _names_a_day(cls, path: str) -> str:
        if not all(part in path for part in ("%Y", "%m", "%d")):
            raise ValueError("must hold %Y, %m and %d, for example 'dt=%Y-%m-%d'")
        return path.strip("/")


class Fields(_Part):
    """Field of each fact in an event; dots reach into nested objects."""

    user_id: FieldPath
    event_time: FieldPath
    event_type: FieldPath
    event_id: FieldPath | None = None
    amount: FieldPath | None = None
    currency: FieldPath | None = None


class Events(_Part):
    """What the event types mean."""

    activity: tuple[str, ...] | None = None
    """Types that show the user was there; every type, where the key is left out."""
    purchases: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    """Types that open a session."""
    counted: tuple[Name, ...] = ()
    """Types with a count, and so features, of their own."""


class Attribute(_Part):
    """A fact about the user that an event carries; the latest value is kept."""

    field: FieldPath
    type: Literal["text", "number"] = "text"


class Horizons(_Part):
    """Length of the label windows, in days."""

    churn: Annotated[int, Field(ge=1, le=365)] = 14
    payment: Annotated[int, Field(ge=1, le=365)] = 14


class ClusterRange(_Part):
    """Range in which the number of clusters is chosen."""

    min: Annotated[int, Field(ge=2, le=50)] = 3
    max: Annotated[int, Field(ge=2, le=50)] = 8

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) must not be above max ({self.max})")
        return self


class Game(_Part):
    """A game's logs and what to predict from them: the whole of `game.yaml`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    first_day: dt.date
    """First day with logs."""
    last_day: dt.date | None = None
    """Last day with logs, for a game whose logs have ended."""
    closed_days: frozenset[dt.date] = frozenset()
    """Days on which the game was shut: no events then are no fault."""
    time_zone: str = "UTC"
    """Zone in which a day begins and ends, and of times that name no zone."""
    logs: Logs = Logs()
    fields: Fields
    events: Events = Events()
    currencies: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    """Worth of one unit of each currency, in the unit of the reports."""
    properties: dict[Name, FieldPath] = {}
    """Numeric properties that are summed: name, and field in the event."""
    attributes: dict[Name, Attribute] = {}
    clock_skew_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    """How far after its arrival day's end an event may be dated."""
    active_days: Annotated[int, Field(ge=1, le=365)] = 28
    """A user is active who was seen in this many days."""
    grace_days: Annotated[int, Field(ge=0, le=30)] = 0
    """Days to wait for late logs before a label counts as matured."""
    horizons: Horizons = Horizons()
    windows: Annotated[tuple[Annotated[int, Field(ge=1, le=3650)], ...], Field(min_length=1)] = (
        1,
        3,
        7,
        14,
        28,
        90,
    )
    """Trailing windows of the features, in days."""
    clusters: ClusterRange = ClusterRange()
    """Range of the number of clusters; one number fixes it."""

    @field_validator("clusters", mode="before")
    @classmethod
    def _one_number_is_a_range(cls, clusters: object) -> object:
        return {"min": clusters, "max": clusters} if isinstance(clusters, int) else clusters

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                "must be the name of a time zone, for example 'Asia/Seoul'"
            ) from error
        return zone

    @field_validator("windows")
    @classmethod
    def _ascend(cls, windows: tuple[int, ...]) -> tuple[int, ...]:
        if list(windows) != sorted(set(windows)):
            raise ValueError("must ascend, each window once, for example [1, 3, 7, 14, 28, 90]")
        return windows

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong = [sentence for broken, sentence in self._contradictions() if broken]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _contradictions(self) -> list[tuple[bool, str]]:
        return [
            (
                self.last_day is not None and self.last_day < self.first_day,
                f"last_day ({self.last_day}) must not lie before first_day ({self.first_day})",
            ),
            (
                max(self.windows) < self.active_days,
                f"the longest of windows ({max(self.windows)} days) must cover active_days "
                f"({self.active_days})",
            ),
            (
                self.fields.currency is not None and not self.currencies,
                "fields.currency needs currencies, for example {USD: 1, KRW: 0.00072}",
            ),
            (
                bool(self.currencies) and self.fields.currency is None,
                "currencies needs fields.currency, the field that names an event's currency",
            ),
            (
                self.fields.currency is not None and self.fields.amount is None,
                "fields.currency needs fields.amount",
            ),
        ]

    @property
    def lookback_days(self) -> int:
        """Days of activity that a feature can see: the longest window."""
        return max(self.windows)

    def maturity_days(self, horizon: int) -> int:
        """Days after a snapshot until a label over `horizon` days has matured."""
        return horizon + self.grace_days


def load_game(path: Path) -> Game:
    """Read and validate a `game.yaml`.

    Raises:
        InputError: the file is missing, is not YAML, or breaks a rule. The message names every
            mistake with its key, what was found and what is accepted.
    """
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"there is no game file at {path}; write one, or name another with DS_ASSETS_GAME"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the game file {path} cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError) as error:  # an impossible date is a bare ValueError
        raise InputError(f"the game file {path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise InputError(
            f"the game file {path} must hold keys and values; found {type(content).__name__}"
        )
    try:
        return Game.model_validate(content)
    except ValidationError as error:
        raise InputError(describe_mistakes(f"the game file {path}", error)) from None
