"""The game file, `game.yaml`: a game's logs and what to predict from them.

Scope: the keys of the file, their rules, and clear messages for mistakes. Addresses, credentials
and engines are settings (`settings.py`); nothing is computed here.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from ds_assets.closed_days import NO_CLOSED_DAYS, ClosedDays, read_closed_days
from ds_assets.errors import InputError, describe_mistakes
from ds_assets.field_paths import (
    Constant,
    Divided,
    Entry,
    Joined,
    Paths,
    Product,
    first_names,
    later_steps,
    paths_of,
    read_amount,
    read_event_type,
    read_paths,
)
from ds_assets.game_parts import IDENTIFIER, PART, Day, Name, Share
from ds_assets.game_promotions import HoldoutShare, Promotion
from ds_assets.path_patterns import PathPattern, read_path_pattern
from ds_assets.time_formats import ISO, read_time_format

MIN_LOOKBACK_DAYS = 56
"""Eight weeks: the days that no roll-up covers (`core.lifetimes`), and one for a clock ahead."""


def _free_name(name: str) -> str:
    if name == "time":
        raise ValueError("reserved: the table has a column last_time; use another name")
    return name


def _zone_name(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("must be the name of a time zone, for example 'Asia/Seoul'") from error
    return zone


def _free_target(name: str) -> str:
    taken = sorted({*Horizons.model_fields, "cluster", "clusters"} - {"spend"})
    if name in taken:
        raise ValueError(f"choose a name other than {', '.join(taken)}")
    return name


AttributeName = Annotated[Name, AfterValidator(_free_name)]
TargetName = Annotated[Name, AfterValidator(_free_target)]
ZoneName = Annotated[str, AfterValidator(_zone_name)]
EventType = Annotated[str, Field(min_length=1)]
EventTypes = Annotated[tuple[EventType, ...], Field(min_length=1)]
FieldPaths = Annotated[Paths, BeforeValidator(read_paths)]
"""The field of a value, or fields in order: the first one with a value counts."""


def _read_counted(counted: object) -> object:
    """Turn a list of types into their names with the types, and a single type into a list."""
    if isinstance(counted, Mapping):
        return {name: [it] if isinstance(it, str) else it for name, it in counted.items()}
    if not isinstance(counted, list | tuple):
        raise ValueError("must be a list of types, or names with types")  # noqa: TRY004
    for name in counted:
        if not isinstance(name, str) or not IDENTIFIER.fullmatch(name):
            raise ValueError(f"{name!r} needs a plain name, as in {{level_up: {name}}}")
    if len(set(counted)) < len(counted):
        raise ValueError("list each type once")
    return {name: [name] for name in counted}


class _Part(BaseModel):
    model_config = PART


def _as_logged(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


class LeaveOut(_Part):
    """Lines that are not events of the game: those with one of some values in a field."""

    field: FieldPaths
    """Field of the line."""
    values: Annotated[tuple[Annotated[str, BeforeValidator(_as_logged)], ...], Field(min_length=1)]
    """Values of that field with which a line is left out."""


def _one_character(text: str) -> str:
    if len(text) != 1 or text in "\r\n\0\ufeff":
        raise ValueError("use one character, such as ',' or ';' or \"\\t\" for a tab")
    return text


def _one_character_or_none(text: str) -> str:
    return text and _one_character(text)


class Csv(_Part):
    """How CSV files are written."""

    delimiter: Annotated[str, AfterValidator(_one_character)] = ","
    """Character between values."""
    quote: Annotated[str, AfterValidator(_one_character_or_none)] = '"'
    """Character around values, which is doubled within them; empty if values are not quoted."""
    decimal: Literal[".", ","] = "."
    """Character before the decimals of a number."""
    thousands: Literal["", ",", ".", " ", "'", "\u00a0", "\u202f", "\u2019"] = ""
    """Character between the thousands of a number."""
    header: tuple[str, ...] | None = None
    """Names of the columns, in files without a line that has them."""

    @field_validator("quote")
    @classmethod
    def _is_not_the_delimiter(cls, quote: str, info: ValidationInfo) -> str:
        if quote == info.data.get("delimiter"):
            raise ValueError("must be another character than delimiter")
        return quote

    @field_validator("thousands")
    @classmethod
    def _is_not_the_decimal_mark(cls, mark: str, info: ValidationInfo) -> str:
        if mark == info.data.get("decimal"):
            raise ValueError("must be another character than decimal, which is '.' by default")
        return mark

    @field_validator("header")
    @classmethod
    def _names_columns_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and (not names or len(set(names)) < len(names)):
            raise ValueError("name every column, and each once")
        return names


class KindFields(_Part):
    """Where the values of an event are in files of a kind; those of `fields` if omitted."""

    user_id: FieldPaths | None = None
    """Field with the id of the user."""
    event_time: FieldPaths | None = None
    """Field with the time at which the event happened."""
    event_type: Annotated[Paths | Joined | Constant, BeforeValidator(read_event_type)] | None = None
    """Field with the type of the event."""
    event_id: FieldPaths | None = None
    """Field with an id of the event."""
    amount: Annotated[Paths | Product | Divided, BeforeValidator(read_amount)] | None = None
    """Field with what is paid."""
    currency: FieldPaths | None = None
    """Field with the currency of the amount."""
    promotion: FieldPaths | None = None
    """Field with the offer that was shown."""


LogFormat = Literal["jsonl", "json", "csv", "parquet"]
TimeFormat = Annotated[str, AfterValidator(read_time_format)]


class LogKind(_Part):
    """Files of a day that are written alike, by their names; what is omitted is that of `logs`."""

    files: EventType
    """Name of the files in the day's folder of the lake, with `*` for any characters."""
    format: LogFormat | None = None
    """Format of the files."""
    csv: Csv | None = None
    """How the files are written, if the format is CSV."""
    time_format: TimeFormat | None = None
    """How times are written."""
    times_without_zone: ZoneName | None = None
    """Time zone of times that name none."""
    fields: KindFields = KindFields()
    """Where the values of an event are in a line."""
    optional: Annotated[bool, Field(strict=True)] = False
    """Whether a day is complete without files of this kind."""


class Logs(_Part):
    """Where the log files of a day are in the source, and their format."""

    path: Annotated[str, AfterValidator(read_path_pattern)] = "dt=%Y-%m-%d"
    """Folder or files of one day in the source, as a `strftime` pattern, in which `*` stands for
    any characters within a name."""
    format: LogFormat = "jsonl"
    """Format of the files: a JSON value per line, JSON in an array or over several lines, CSV, or
    Parquet."""
    csv: Csv = Csv()
    """How the files are written, if the format is CSV."""
    time_format: TimeFormat = ISO
    """`iso8601`, `epoch_seconds`, `epoch_milliseconds`, `epoch_microseconds`, `epoch_nanoseconds`,
    or a format with directives such as `%Y`."""
    times_without_zone: ZoneName | None = None
    """Time zone of times that name none; that of the game if omitted."""
    null_user_ids: tuple[Annotated[str, Field(coerce_numbers_to_str=True)], ...] = ()
    """User ids that stand for no user, beside null, undefined, none, nan and the empty text."""
    leave_out: tuple[LeaveOut, ...] = ()
    """Lines that are not events of the game; they are counted, and are not faults."""
    event_id_scope: Literal["user", "game"] = "user"
    """Where ids of events are unique: among the events of a user, or of the whole game."""
    duplicate_days: Annotated[int, Field(ge=0, le=3650, strict=True)] | None = None
    """Earlier arrival days that an event id is looked for in; the longest window if omitted."""
    marker: Annotated[str, Field(pattern=r"^[._][^/]*$")] | None = None
    """Name of the file that marks a folder of a day as complete, in source and lake. Without
    a marker a day is complete when its files have not changed for a while."""
    kinds: Mapping[Name, LogKind] = {}
    """Kinds of files with fields, times or a format of their own, by name, if there are several.
    A day is complete when it has files of each."""

    @field_validator("csv")
    @classmethod
    def _is_for_csv(cls, csv: Csv, info: ValidationInfo) -> Csv:
        if csv != Csv() and info.data.get("format", "csv") != "csv":
            raise ValueError("requires logs.format: csv")
        return csv

    @field_validator("kinds")
    @classmethod
    def _have_csv_in_csv(
        cls, kinds: Mapping[str, LogKind], info: ValidationInfo
    ) -> Mapping[str, LogKind]:
        for name, kind in kinds.items():
            if kind.csv is not None and (kind.format or info.data.get("format", "csv")) != "csv":
                raise ValueError(f"{name}.csv requires {name}.format: csv")
        return kinds

    def find_kinds(self, file: str) -> list[str]:
        """Find the kinds of a file by its name in the day's folder of the lake; one is expected."""
        return [name for name, kind in self.kinds.items() if fnmatchcase(file, kind.files)]

    def missing_kinds(self, files: Iterable[str]) -> list[str]:
        """Kinds of which there is no file in a day, and which are not optional."""
        present = {kind for file in files for kind in self.find_kinds(file)}
        return [name for name, it in self.kinds.items() if not it.optional and name not in present]


class Fields(_Part):
    """Where the values of an event are in a line; see `field_paths`."""

    user_id: FieldPaths
    """Field with the id of the user."""
    event_time: FieldPaths
    """Field with the time at which the event happened."""
    event_type: Annotated[Paths | Joined | Constant, BeforeValidator(read_event_type)]
    """Field with the type of the event."""
    event_id: FieldPaths | None = None
    """Field with an id of the event, by which duplicates are found; without it none are."""
    amount: Annotated[Paths | Product | Divided, BeforeValidator(read_amount)] | None = None
    """Field with what is paid; without it there is no spend."""
    currency: FieldPaths | None = None
    """Field with the currency of the amount; without it all amounts are in one currency."""
    promotion: FieldPaths | None = None
    """Field with the id of the assignment that was shown, or the name of its offer, in events of
    `events.promotion_shown`."""

    @field_validator("currency")
    @classmethod
    def _has_an_amount(cls, currency: Paths | None, info: ValidationInfo) -> Paths | None:
        if currency is not None and info.data.get("amount", currency) is None:
            raise ValueError("requires fields.amount, the field of the amount in that currency")
        return currency


class Events(_Part):
    """What the event types mean."""

    activity: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Types that count as activity of the user; every type if the key is omitted."""
    passive: tuple[str, ...] = ()
    """Types that are no activity of the user; all others are. Not together with `activity`."""
    purchases: tuple[str, ...] = ()
    """Types that are purchases if their amount is above 0, or is not given."""
    free_purchases: Annotated[bool, Field(strict=True)] = False
    """Whether an amount of 0 is a purchase, too."""
    refunds: tuple[str, ...] = ()
    """Types that take a purchase back: their amount reduces spend, with either sign."""
    sessions: tuple[str, ...] = ()
    """Types that start a session."""
    promotion_shown: tuple[str, ...] = ()
    """Types that say that the offer of a promotion was shown to the user."""
    counted: Annotated[Mapping[Name, EventTypes], BeforeValidator(_read_counted)] = {}
    """Names of counts, and therefore features, of their own, with the types that are counted."""

    @field_validator("passive")
    @classmethod
    def _is_the_only_list(cls, passive: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if passive and info.data.get("activity") is not None:
            raise ValueError("activity is given, too; remove one of the two")
        return passive

    @field_validator("refunds")
    @classmethod
    def _are_not_purchases(cls, refunds: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        both = sorted({*refunds} & {*info.data.get("purchases", ())})
        if both:
            raise ValueError(f"{both[0]} is also in purchases; list it in one of them")
        return refunds

    @field_serializer("counted")
    def _counted_as_written(self, counted: Mapping[str, tuple[str, ...]]) -> object:
        is_list = all(types == (name,) for name, types in counted.items())
        return [*counted] if is_list else {name: [*types] for name, types in counted.items()}


class Attribute(_Part):
    """A property of the user that events carry; the latest value is kept."""

    field: FieldPaths
    """Field of the event."""
    type: Literal["text", "number"] = "text"
    """Whether the values are texts or numbers."""


HorizonDays = Annotated[int, Field(ge=1, le=365, strict=True)]


class Horizons(_Part):
    """Length of the label windows, in days."""

    churn: HorizonDays = 14
    """A user without activity in these days has left."""
    payment: HorizonDays = 14
    """A user with a purchase in these days has paid."""
    spend: tuple[HorizonDays, ...] = ()
    """Horizons of expected spend, beside that of payment."""

    @field_validator("spend")
    @classmethod
    def _ascend(cls, spend: tuple[int, ...]) -> tuple[int, ...]:
        if list(spend) != sorted(set(spend)):
            raise ValueError("must be in ascending order without repetition, as in [30, 90, 365]")
        return spend

    @property
    def spend_targets(self) -> dict[str, int]:
        """Horizons of expected spend by the name of their target."""
        return {f"spend_{days}": days for days in self.spend}


Population = Literal["all", "never_paid", "has_paid"]
"""Users by their purchases so far, as far back as the longest window reaches."""


_FORMS = ("event", "spend_at_least", "inactive")


class CustomTarget(_Part):
    """A target of the game's own: its population, what makes a user positive, and in which time."""

    event: tuple[EventType, ...] | None = None
    """Types, or names of `events.counted`, of which at least one event must happen."""
    spend_at_least: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)] | None = None
    """Spend that must be reached, in the currency of the reports."""
    inactive: Literal[True] | None = None
    """No activity event must happen."""
    population: Population = "all"
    """Users that the target is predicted for, by their purchases so far."""
    horizon: Annotated[int, Field(ge=1, le=365, strict=True)]
    """Days in which it must happen."""

    @field_validator("event")
    @classmethod
    def _names_each_type_once(cls, types: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if types is not None and (not types or len(set(types)) < len(types)):
            raise ValueError("name one type at least, and each once")
        return types

    @model_validator(mode="wrap")
    @classmethod
    def _has_one_form(cls, declared: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse several forms or none, beside mistakes in single keys."""
        mistakes: list[Any] = []
        if (
            isinstance(declared, dict)
            and sum(declared.get(form) is not None for form in _FORMS) != 1
        ):
            wrong_forms = PydanticCustomError(
                "wrong_forms", "use exactly one of event, spend_at_least and inactive"
            )
            mistakes.append(InitErrorDetails(type=wrong_forms, input=declared))
        try:
            target = validate(declared)
        except ValidationError as error:
            mistakes += error.errors()
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return target


class ClusterRange(_Part):
    """Range in which the number of clusters is chosen."""

    min: Annotated[int, Field(ge=2, le=50, strict=True)] = 3
    """Fewest clusters."""
    max: Annotated[int, Field(ge=2, le=50, strict=True, validate_default=True)] = 8
    """Most clusters."""

    @field_validator("max")
    @classmethod
    def _is_not_below_the_least(cls, most: int, info: ValidationInfo) -> int:
        if most < info.data.get("min", most):
            raise ValueError(f"must not be below min ({info.data['min']})")
        return most


class Checks(_Part):
    """Limits of the checks of a day, which is refused beyond any of them."""

    max_quarantined_share: Share = 0.05
    """Logs with a larger share of lines in quarantine are considered broken."""
    min_event_share: Share = 0.25
    """A day with a smaller share of the usual events of its weekday is considered incomplete."""
    max_duplicate_share: Share = 0.5
    """With a larger share ids are not unique; a day that is delivered twice as a whole has this."""
    max_late_event_share: Share = 1.0
    """A day with a larger share of events of earlier dates is considered misdated. By default there
    is no limit: the logs of days without delivery arrive together."""
    max_lost_user_share: Share = 0.75
    """A day that lacks a larger share of the users of its weekday is considered incomplete."""


Worth = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]

ALL_USERS = "all"
"""Value of every user where cohorts have no attribute."""


class Cohorts(_Part):
    """Cohorts of users by the week of their first active day, and what a user has cost."""

    by: str | None = None
    """Text attribute with the channel that users come from; all users together if omitted."""
    cost_per_user: dict[Annotated[str, BeforeValidator(_as_logged)], Worth] = {}
    """What a new user costs, by value of the attribute, in the currency of spend."""

    @field_validator("cost_per_user")
    @classmethod
    def _has_an_attribute(cls, costs: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        if info.data.get("by", ALL_USERS) is None and costs.keys() - {ALL_USERS}:
            raise ValueError("requires cohorts.by, or the single key all, as in {all: 1.5}")
        return costs


_RESERVED_PROMOTIONS = ("all", "holdout")
"""Names in results of all promotions together, and of the users that never get one."""


class Game(_Part):
    """A game's logs and what to predict from them: the whole of `game.yaml`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Name of the game, which its installation has unless a setting gives it another one."""
    first_day: Day
    """First day with logs."""
    last_day: Day | None = None
    """Last day with logs, for a game that has ended."""
    closed_days: Annotated[
        ClosedDays, PlainValidator(read_closed_days), PlainSerializer(ClosedDays.as_written)
    ] = NO_CLOSED_DAYS
    """Dates and weekdays on which the game was offline: windows and horizons do not count them."""
    time_zone: ZoneName = "UTC"
    """Time zone of the days, and of times without a zone."""
    logs: Logs = Logs()
    """Where the log files of a day are in the source, and their format."""
    fields: Fields
    """Where the values of an event are in a line: paths, or values of several fields together."""
    events: Events = Events()
    """What the event types mean."""
    currencies: Annotated[dict[str, Worth], Field(validate_default=True)] = {}
    """Value of one unit of each currency in the currency of the reports."""
    properties: dict[Name, FieldPaths] = {}
    """Numeric properties that are summed: name, and field of the event."""
    attributes: dict[AttributeName, Attribute] = {}
    """Properties of the user that events carry, by name; the latest value is kept."""
    clock_skew_minutes: Annotated[int, Field(ge=0, le=1439, strict=True)] = 10
    """How far past the end of its arrival day an event may be dated."""
    active_days: Annotated[int, Field(ge=1, le=3650, strict=True)] = 28
    """A user is active if there was activity in this many days."""
    grace_days: Annotated[int, Field(ge=0, le=30, strict=True)] = 0
    """Days to wait for late logs before a label has matured."""
    horizons: Horizons = Horizons()
    """Length of the label windows, in days."""
    targets: dict[TargetName, CustomTarget] = {}
    """What is predicted beside churn and payment, by name."""
    windows: Annotated[
        tuple[Annotated[int, Field(ge=1, le=3650, strict=True)], ...],
        Field(min_length=1, validate_default=True),
    ] = (
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
    user_groups: Annotated[str, Field(validate_default=True)] = "clusters"
    """User groups with models of their own: `clusters`, `none`, or a text attribute."""
    cohorts: Cohorts = Cohorts()
    """Cohorts whose spend, retention and payback are reported."""
    promotions: dict[Name, Promotion] = {}
    """Offers to users, by name, with the users that are kept without them for comparison."""
    holdout: HoldoutShare = 0.0
    """Share of all users that never get a promotion, to compare all promotions together with."""
    checks: Checks = Checks()
    """Limits beyond which a day is refused."""

    def __hash__(self) -> int:
        """Equal games have equal names; mappings have no hash."""
        return hash((self.name, self.first_day))

    @field_validator("clusters", mode="before")
    @classmethod
    def _one_number_is_a_range(cls, clusters: object) -> object:
        if not isinstance(clusters, int):
            return clusters
        if not 2 <= clusters <= 50:  # noqa: PLR2004  (as in ClusterRange)
            raise ValueError("use a number from 2 to 50, or a range such as {min: 3, max: 8}")
        return {"min": clusters, "max": clusters}

    @field_validator("events")
    @classmethod
    def _have_the_fields_they_need(cls, events: Events, info: ValidationInfo) -> Events:
        fields = info.data.get("fields")
        if events.refunds and fields is not None and fields.amount is None:
            raise ValueError("refunds needs fields.amount, the field of what is taken back")
        if events.promotion_shown and fields is not None and fields.promotion is None:
            raise ValueError("promotion_shown needs fields.promotion, the field of what was shown")
        return events

    @field_validator("last_day")
    @classmethod
    def _is_no_earlier_than_the_first(
        cls, last: dt.date | None, info: ValidationInfo
    ) -> dt.date | None:
        first = info.data.get("first_day")
        if last is not None and first is not None and last < first:
            raise ValueError(f"must not be before first_day ({first})")
        return last

    @field_validator("currencies")
    @classmethod
    def _go_with_their_field(
        cls, currencies: dict[str, float], info: ValidationInfo
    ) -> dict[str, float]:
        fields = info.data.get("fields")
        if fields is None or bool(currencies) == (fields.currency is not None):
            return currencies
        if currencies:
            raise ValueError("requires fields.currency, the field with the currency of an event")
        raise ValueError("required with fields.currency, for example {USD: 1, KRW: 0.00072}")

    @field_validator("horizons")
    @classmethod
    def _have_what_spend_needs(cls, horizons: Horizons, info: ValidationInfo) -> Horizons:
        events, fields = info.data.get("events"), info.data.get("fields")
        if horizons.spend and fields is not None and fields.amount is None:
            raise ValueError("spend needs fields.amount, the field of what is paid")
        if horizons.spend and events is not None and not events.purchases:
            raise ValueError("spend needs events.purchases, the types that are purchases")
        return horizons

    @field_validator("targets")
    @classmethod
    def _are_not_horizons_of_spend(
        cls, targets: dict[str, CustomTarget], info: ValidationInfo
    ) -> dict[str, CustomTarget]:
        horizons: Horizons = info.data.get("horizons", Horizons())
        taken = sorted(targets.keys() & horizons.spend_targets)
        if taken:
            raise ValueError(f"{taken[0]} is a horizon of horizons.spend; choose another name")
        return targets

    @field_validator("targets")
    @classmethod
    def _can_be_told_from_the_events(
        cls, targets: dict[str, CustomTarget], info: ValidationInfo
    ) -> dict[str, CustomTarget]:
        events, fields = info.data.get("events"), info.data.get("fields")
        of_spend = [name for name, own in targets.items() if own.spend_at_least is not None]
        if of_spend and fields is not None and fields.amount is None:
            raise ValueError(f"{of_spend[0]}.spend_at_least needs fields.amount")
        of_payers = [name for name, own in targets.items() if own.population != "all"]
        needing = [*of_spend, *of_payers]
        if needing and events is not None and not events.purchases:
            raise ValueError(f"{needing[0]} needs events.purchases, the types that are purchases")
        return targets

    @field_validator("user_groups")
    @classmethod
    def _is_known(cls, groups: str, info: ValidationInfo) -> str:
        attributes = info.data.get("attributes", {groups: Attribute(field="unknown")})
        texts = [name for name, attribute in attributes.items() if attribute.type == "text"]
        if groups not in {"clusters", "none", *texts}:
            listed = f", or a text attribute: {', '.join(texts)}" if texts else ""
            raise ValueError(f"use clusters, none{listed}")
        return groups

    @field_validator("cohorts")
    @classmethod
    def _have_what_they_need(cls, cohorts: Cohorts, info: ValidationInfo) -> Cohorts:
        attributes = info.data.get("attributes", {cohorts.by: Attribute(field="unknown")})
        texts = [name for name, attribute in attributes.items() if attribute.type == "text"]
        if cohorts.by not in {None, *texts}:
            listed = f": {', '.join(texts)}" if texts else ", of which attributes has none"
            raise ValueError(f"by: found {cohorts.by!r}; use a text attribute{listed}")
        fields = info.data.get("fields")
        if cohorts.cost_per_user and fields is not None and fields.amount is None:
            raise ValueError("cost_per_user needs fields.amount, the field of what is paid")
        return cohorts

    @field_validator("promotions")
    @classmethod
    def _fit_the_game(
        cls, promotions: dict[str, Promotion], info: ValidationInfo
    ) -> dict[str, Promotion]:
        mistakes = [
            InitErrorDetails(
                type=PydanticCustomError("misfit", "{text}", {"text": text}), loc=loc, input=value
            )
            for name, promotion in promotions.items()
            for loc, value, text in _find_misfits(name, promotion, info.data)
        ]
        if mistakes:
            raise ValidationError.from_exception_data(cls.__name__, mistakes)
        return promotions

    @field_validator("windows")
    @classmethod
    def _ascend_and_cover(cls, windows: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if list(windows) != sorted(set(windows)):
            raise ValueError(
                "must be in ascending order without repetition, for example [1, 3, 7, 14, 28, 90]"
            )
        active_days = info.data.get("active_days", 0)
        if max(windows) < active_days:
            raise ValueError(f"the longest window must cover active_days ({active_days})")
        return windows

    @model_validator(mode="after")
    def _kinds_have_fields_of_all(self) -> Self:
        """Refuse a value that only files of a kind have: what depends on it is that of the game."""
        for name, kind in self.logs.kinds.items():
            for key, source in kind.fields:
                if source is not None and getattr(self.fields, key) is None:
                    raise ValueError(
                        f"logs.kinds.{name}.fields.{key} requires fields.{key}; files of other "
                        "kinds may lack it"
                    )
        return self

    @model_validator(mode="after")
    def _csv_has_texts(self) -> Self:
        """Refuse a key of a list or map at the beginning of a path in CSV."""
        games: list[Game] = [self, *map(self.of_kind, self.logs.kinds)]
        for game in games:
            for path in game.paths() if game.logs.format == "csv" else ():
                column = ".".join(first_names(path))
                if isinstance(next(iter(later_steps(path)), None), Entry):
                    raise ValueError(  # noqa: TRY004
                        f"{path}: a column of CSV has no keys; for a column that holds JSON write "
                        f'json({column})[KEY], for a column of that name "{path}"'
                    )
        return self

    def paths(self) -> Iterator[str]:
        """Every path of a field."""
        sources = [source for _, source in self.fields if source]
        sources += [*self.properties.values(), *(it.field for it in self.attributes.values())]
        for source in (*sources, *(rule.field for rule in self.logs.leave_out)):
            yield from paths_of(source)

    def of_kind(self, name: str) -> "Game":
        """Return the game as files of a kind are written, without any kinds."""
        logs, kind = self.logs, self.logs.kinds[name]
        file_format = kind.format or logs.format
        csv = kind.csv or (logs.csv if file_format == "csv" else Csv())
        own_logs: dict[str, Any] = {
            "format": file_format,
            "csv": csv,
            "time_format": kind.time_format or logs.time_format,
            "times_without_zone": kind.times_without_zone or logs.times_without_zone,
            "kinds": {},
        }
        own_fields = {key: source for key, source in kind.fields if source is not None}
        return self.model_copy(
            update={
                "logs": logs.model_copy(update=own_logs),
                "fields": self.fields.model_copy(update=own_fields),
            }
        )

    @property
    def log_path(self) -> PathPattern:
        """Where the files of a day are in the log source."""
        return PathPattern(self.logs.path, self.time_zone)

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of what is predicted beside churn and payment."""
        return (*self.horizons.spend_targets, *self.targets)

    @property
    def promotion_names(self) -> tuple[str, ...]:
        """Names of the promotions in the order of priority, then of the file."""
        names = self.promotions
        return tuple(sorted(names, key=lambda name: -names[name].priority))

    @property
    def event_types(self) -> dict[str, tuple[str, ...]]:
        """The event types that the file names, by the key that lists them."""
        events = self.events
        lists = {
            "activity": events.activity or (),
            "passive": events.passive,
            "purchases": events.purchases,
            "refunds": events.refunds,
            "sessions": events.sessions,
            "promotion_shown": events.promotion_shown,
            "counted": tuple(kind for types in events.counted.values() for kind in types),
        }
        return {f"events.{key}": types for key, types in lists.items()} | {
            f"targets.{name}.event": tuple(
                kind for it in own.event or () for kind in events.counted.get(it, (it,))
            )
            for name, own in self.targets.items()
        }

    def count_name(self, event: str) -> str:
        """Name of the count of what a target names: a name of `events.counted`, or a type."""
        counted = self.events.counted
        named = [name for name, types in counted.items() if types == (event,)]
        if event in counted or not named:
            return event if IDENTIFIER.fullmatch(event) else _plain_name_of(event)
        return named[0]

    @property
    def target_event_types(self) -> dict[str, str]:
        """Event types that targets need beside `events.counted`, by name of their count."""
        needed = (event for target in self.targets.values() for event in target.event or ())
        names = {self.count_name(event): event for event in needed}
        return {name: it for name, it in names.items() if name not in self.events.counted}

    @property
    def report_currency(self) -> str | None:
        """The currency of the reports: the only one of worth 1; None where that is not known."""
        units = [name for name, worth in self.currencies.items() if worth == 1]
        return units[0] if len(units) == 1 else None

    @property
    def lookback_days(self) -> int:
        """Days of activity that a feature can see beside a roll-up: the longest window, or more."""
        return max(*self.windows, MIN_LOOKBACK_DAYS)

    @property
    def duplicate_days(self) -> int:
        """Earlier arrival days in which an event with the same id is the same event."""
        days = self.logs.duplicate_days
        return max(self.windows) if days is None else days

    def horizon_of(self, target: str) -> int:
        """Horizon of a target in open days: of churn, payment, or one of `target_names`.

        Raises:
            KeyError: there is no such target.
        """
        return _horizons(self.horizons, self.targets)[target]

    def maturity_days(self, horizon: int) -> int:
        """Open days after a snapshot until a label over `horizon` of them has matured."""
        return horizon + self.grace_days


def _horizons(horizons: Horizons, targets: Mapping[str, CustomTarget]) -> dict[str, int]:
    built_in = {name: days for name, days in horizons if isinstance(days, int)}
    own = {name: target.horizon for name, target in targets.items()}
    return {**built_in, **horizons.spend_targets, **own}


def _find_misfits(
    name: str, promotion: Promotion, others: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], object, str]]:
    """What in a promotion does not fit other keys of the file: key, value, and what is accepted."""
    if name in _RESERVED_PROMOTIONS:
        yield (name,), name, f"choose a name other than {' and '.join(_RESERVED_PROMOTIONS)}"
    if "horizons" in others and "targets" in others:
        horizons = _horizons(others["horizons"], others["targets"])
        horizon = horizons.get(promotion.target)
        if horizon is None:
            yield (name, "target"), promotion.target, f"use one of {', '.join(horizons)}"
        elif promotion.cool_down is not None and promotion.cool_down < horizon:
            least = f"the horizon of {promotion.target} ({horizon} days)"
            yield (name, "cool_down"), promotion.cool_down, f"must not be less than {least}"
    currency, currencies = promotion.value.currency, others.get("currencies")
    if currency is not None and currencies is not None and currency not in currencies:
        listed = ", ".join(currencies)
        accepted = f"use one of currencies: {listed}" if listed else "requires currencies"
        yield (name, "value", "currency"), currency, accepted


def _plain_name_of(event: str) -> str:
    """A name for the count of a type that is not a plain name; other types have other names."""
    plain = re.sub("[^a-z0-9]+", "_", event.lower()).strip("_")[:32]
    digest = hashlib.md5(event.encode(), usedforsecurity=False).hexdigest()[:8]
    return f"type_{plain}_{digest}"


class _Loader(yaml.SafeLoader):
    """Rejects duplicate keys, of which the safe loader silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, key in enumerate(keys):
            if key.value in {other.value for other in keys[:number]}:
                raise yaml.constructor.ConstructorError(
                    problem=f"duplicate key {key.value}", problem_mark=key.start_mark
                )
        return super().construct_mapping(node, deep)


def load_game(path: Path) -> Game:
    """Read and validate a `game.yaml`.

    Raises:
        InputError: the file is missing, is not YAML, or breaks a rule. The message names every
            mistake with its key, what was found and what is accepted.
    """
    try:
        content: Any = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506  (is safe)
    except FileNotFoundError:
        raise InputError(
            f"there is no game file at {path}; create it, or set DS_ASSETS_GAME to another path"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the game file {path} cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError) as error:  # an impossible date is a bare ValueError
        raise InputError(f"the game file {path} is not valid YAML: {error}") from None
    except (LookupError, AttributeError, RecursionError):  # from within the YAML library
        raise InputError(
            f"the game file {path} is not valid YAML: a value does not fit its !! tag, or brackets "
            "are nested too deeply"
        ) from None
    if not isinstance(content, dict):
        raise InputError(
            f"the game file {path} must contain keys and values; found {type(content).__name__}"
        )
    try:
        return Game.model_validate(content)
    except ValidationError as error:
        raise InputError(describe_mistakes(f"the game file {path}", error)) from None
