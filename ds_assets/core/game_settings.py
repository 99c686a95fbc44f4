"""What a change of each key of the game file means for days that are stored, declared once.

Scope: the keys and their consequences, and the comparison of two versions of the file. Which
version a day was made with is in its record (`core.provenance`).

Versions are compared key by key and by what takes effect: a key that is written with its default
value is the same as one that is omitted, and a key that a new release adds differs from nothing as
long as it has its default. Lists whose order means nothing are sorted.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from ds_assets.core.provenance import fingerprint
from ds_assets.core.targets import BUILT_IN
from ds_assets.game import Game

ANY_NAME = "*"
"""Stands in a declared key for a name that the author of the file has chosen."""
_ORDERED = ("windows", "fields.", "properties.", "attributes.", "logs.csv.header")
"""Beginnings of the keys whose lists have an order that means something."""
ACTIVITY, LIFETIMES, FEATURES = "user_activity", "user_lifetimes", "user_features"
COHORTS, PROMOTIONS = "cohorts", "promotions"


class Consequence(StrEnum):
    """What a change means for days that are stored."""

    NOTHING = "nothing to do"
    NEW_DAYS = "for days from now on"
    INPUTS = "affected days are made again by the sensor"
    AGAIN = "made again by `ds-assets refresh`"


@dataclass(frozen=True)
class GameKey:
    """What a change of a key of the game file means.

    Attributes:
        key: The key, with `ANY_NAME` for names that the author of the file has chosen.
        consequence: What it means for days that are stored.
        assets: The assets that depend on it. With `AGAIN` those that read it themselves: what is
            made from them follows by content.
        effect: What is done and why, in words.
    """

    key: str
    consequence: Consequence
    assets: tuple[str, ...]
    effect: str


def _declare(
    consequence: Consequence, effect: str, *keys: str, assets: tuple[str, ...] = ()
) -> Iterator[GameKey]:
    for key in keys:
        yield GameKey(key, consequence, assets, effect)


_MODELS = (*(target.model_asset for target in BUILT_IN), "predictions")
_TARGET_MODELS = ("NAME_model", "predictions")
_OUTCOMES = ("prediction_outcomes", "promotion_results")

GAME_KEYS = (
    *_declare(
        Consequence.NOTHING,
        "shown; deliveries need DS_ASSETS_INSTALLATION with the former name from then on",
        "name",
    ),
    *_declare(
        Consequence.INPUTS,
        "days before it are no longer read, or collected and read",
        "first_day",
        assets=(LIFETIMES, FEATURES, COHORTS, *_OUTCOMES),
    ),
    *_declare(Consequence.NOTHING, "days after it are not run", "last_day"),
    *_declare(
        Consequence.INPUTS,
        "windows of features and labels do not count it; checks use it for days that are made from "
        "now on",
        "closed_days",
        assets=(LIFETIMES, FEATURES, *_OUTCOMES),
    ),
    *_declare(
        Consequence.AGAIN,
        "events happened on other dates",
        "time_zone",
        assets=(ACTIVITY,),
    ),
    *_declare(Consequence.NOTHING, "days that are collected stay", "logs.path"),
    *_declare(
        Consequence.AGAIN,
        "lines are read in another way",
        *("logs.format", "logs.time_format", "logs.times_without_zone"),
        *("logs.csv.delimiter", "logs.csv.quote", "logs.csv.header"),
        *("logs.csv.decimal", "logs.csv.thousands", "logs.kinds"),
        assets=(ACTIVITY,),
    ),
    *_declare(
        Consequence.AGAIN,
        "other lines have a user",
        "logs.null_user_ids",
        assets=(ACTIVITY,),
    ),
    *_declare(
        Consequence.AGAIN,
        "other lines are events of the game",
        "logs.leave_out",
        assets=(ACTIVITY,),
    ),
    *_declare(
        Consequence.AGAIN,
        "other events are duplicates",
        *("logs.event_id_scope", "logs.duplicate_days"),
        assets=(ACTIVITY,),
    ),
    *_declare(Consequence.NOTHING, "days that were complete stay so", "logs.marker"),
    *_declare(
        Consequence.AGAIN,
        "events are read from another field",
        *("fields.user_id", "fields.event_time", "fields.event_type", "fields.event_id"),
        *("fields.amount", "fields.currency"),
        assets=(ACTIVITY,),
    ),
    *_declare(
        Consequence.AGAIN,
        "event types have another meaning",
        *("events.activity", "events.passive", "events.purchases", "events.free_purchases"),
        *("events.refunds", "events.sessions"),
        assets=(ACTIVITY,),
    ),
    *_declare(Consequence.AGAIN, "amounts have another value", "currencies.*", assets=(ACTIVITY,)),
    *_declare(
        Consequence.AGAIN,
        "the tables have other columns",
        *("events.counted", "properties.*"),
        assets=(ACTIVITY, LIFETIMES, FEATURES),
    ),
    *_declare(
        Consequence.AGAIN,
        "the tables have other columns",
        *("attributes.*.field", "attributes.*.type"),
        assets=(ACTIVITY, FEATURES),
    ),
    *_declare(
        Consequence.AGAIN,
        "other lines are dated after their arrival day",
        "clock_skew_minutes",
        assets=(ACTIVITY,),
    ),
    *_declare(Consequence.AGAIN, "other users are active", "active_days", assets=(FEATURES,)),
    *_declare(Consequence.AGAIN, "there are other features", "windows", assets=(FEATURES,)),
    *_declare(
        Consequence.NEW_DAYS,
        "labels mature on another day; outcomes follow",
        "grace_days",
        assets=(*_MODELS, *_OUTCOMES),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "the next model predicts the new horizon, without a champion",
        *("horizons.churn", "horizons.payment"),
        assets=_MODELS,
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "the next models predict spend in these horizons",
        "horizons.spend",
        assets=_TARGET_MODELS,
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "the next model predicts the new target; its event types are counted from now on, and in "
        "earlier days once their user_activity is materialized again",
        *("targets.*.event", "targets.*.spend_at_least", "targets.*.inactive"),
        *("targets.*.population", "targets.*.horizon"),
        assets=_TARGET_MODELS,
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "the number of clusters is chosen in the new range",
        *("clusters.min", "clusters.max"),
        assets=("clusters",),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "the next models have the new groups, without a champion",
        "user_groups",
        assets=(*_MODELS, *_TARGET_MODELS[:1]),
    ),
    *_declare(
        Consequence.AGAIN,
        "users are in other cohorts",
        "cohorts.by",
        assets=(COHORTS,),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "users who join from now on have the new cost; those of earlier days once their cohorts "
        "are materialized again",
        "cohorts.cost_per_user.*",
        assets=(COHORTS,),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "other users are assigned, and results begin again with a new version; assignments that "
        "are stored stay",
        *("promotions.*.who", "promotions.*.assigned_by", "promotions.*.control"),
        *("promotions.*.as_before", "promotions.*.target"),
        assets=(PROMOTIONS,),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "other users are assigned; assignments that are stored stay",
        *("promotions.*.priority", "promotions.*.cool_down", "promotions.*.per_day"),
        *("promotions.*.group", "promotions.*.from", "promotions.*.until"),
        *("promotions.*.explore", "holdout"),
        assets=(PROMOTIONS,),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "assignments have the new cost, and the rule chooses until the next effect model",
        *("promotions.*.value.cost", "promotions.*.value.currency", "promotions.*.value.worth"),
        assets=(PROMOTIONS,),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "other events say that an offer was shown",
        *("events.promotion_shown", "fields.promotion"),
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "versions that begin from now on need another number of users; others keep theirs",
        "promotions.*.detects",
    ),
    *_declare(
        Consequence.NEW_DAYS,
        "a stored day is checked again when its user_activity is materialized",
        *("checks.max_quarantined_share", "checks.min_event_share", "checks.max_duplicate_share"),
        *("checks.max_late_event_share", "checks.max_lost_user_share"),
        assets=(ACTIVITY,),
    ),
)
"""Every key of the game file."""

_GAME_KEYS = {declared.key: declared for declared in GAME_KEYS}


@dataclass(frozen=True)
class GameSettings:
    """A version of the game file.

    Attributes:
        text: What takes effect, by key, as JSON with sorted keys.
    """

    text: str

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything that takes effect."""
        return fingerprint([self.text])

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """What takes effect, by key."""
        values: dict[str, Any] = json.loads(self.text)
        return values


NO_SETTINGS = GameSettings("{}")
"""Those of no game."""


def settings_of(game: Game) -> GameSettings:
    """What takes effect of a game file."""
    values = dict(_flatten(game.model_dump(mode="json", by_alias=True)))
    # An omitted number of days stands for the longest window, and means nothing without ids.
    has_ids = game.fields.event_id is not None
    values["logs.duplicate_days"] = game.duplicate_days if has_ids else None
    return GameSettings(json.dumps(values, sort_keys=True))


def find_changes(before: GameSettings, after: GameSettings) -> list[str]:
    """Keys whose values differ between two versions of the file, ascending."""
    if before.text == after.text:
        return []
    keys = sorted(before.values.keys() | after.values.keys())
    return [key for key in keys if _value(key, before) != _value(key, after)]


def needs_again(key: str, asset: str) -> bool:
    """Whether a change of a key means that the stored days of an asset are made again."""
    declared = describe_key(key)
    # A key that this release does not know was written by another one.
    return declared is not None and (
        declared.consequence is Consequence.AGAIN and asset in declared.assets
    )


def describe_key(key: str) -> GameKey | None:
    """The declaration of a key; none for one that this release does not have."""
    return _GAME_KEYS.get(_pattern(key))


def list_keys() -> list[str]:
    """Every key of the game file, with `ANY_NAME` for names that its author chooses."""
    return [*_defaults()]


def _value(key: str, settings: GameSettings) -> Any:
    return settings.values.get(key, _defaults().get(_pattern(key)))


@cache
def _pattern(key: str) -> str:
    """The key as it is declared."""
    matching = (pattern for pattern, names in _name_patterns().items() if names.fullmatch(key))
    return key if key in _defaults() else next(matching, key)


@cache
def _name_patterns() -> Mapping[str, re.Pattern[str]]:
    """For each declared key with `ANY_NAME` what it stands for: names may have dots."""
    return {
        key: re.compile(re.escape(key).replace(re.escape(ANY_NAME), ".+"), re.DOTALL)
        for key in _defaults()
        if ANY_NAME in key
    }


@cache
def _defaults() -> Mapping[str, Any]:
    """Default of each key; none where there is none."""
    return dict(_find_defaults(Game, ""))


def _find_defaults(model: type[BaseModel], start: str) -> Iterator[tuple[str, Any]]:
    defaults = model.model_construct().model_dump(mode="json", by_alias=True)
    for own_name, field in model.model_fields.items():
        name = field.alias or own_name
        key, kind = f"{start}{name}", field.annotation
        if get_origin(kind) is dict:
            key, kind = f"{key}.{ANY_NAME}", get_args(kind)[1]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _find_defaults(kind, f"{key}.")
        else:
            default = None if key.endswith(ANY_NAME) else defaults.get(name)
            yield key, _canonical(key, default)


def _flatten(values: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and _pattern(f"{start}{name}") not in _defaults():
            yield from _flatten(value, f"{start}{name}.")
        else:
            yield f"{start}{name}", _canonical(f"{start}{name}", value)


def _canonical(key: str, value: Any) -> Any:
    if isinstance(value, list) and not key.startswith(_ORDERED):
        return sorted(value, key=json.dumps)
    return value
