"""Promotions of a rehearsal: the players who see offers, and what must be true whatever happens.

Scope: rules over all that was assigned, stored and sent. A violation is a sentence.
"""

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from ds_assets.core.promotion_days import cool_down_of
from ds_assets.core.promotions.assignment import CONTROL, HOLDOUT
from ds_assets.core.promotions.changes import LEFT, offers_of_day
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTION_OFFERS, PROMOTIONS
from ds_assets.infra.lake.promotions import assignments_in_effect, read_assignments
from ds_assets.infra.lake.shown_offers import SHOWN_OFFERS, ShownOffer, store_shown_offers
from ds_assets.infra.lake.tables import read_rows, stored_days
from ds_assets_tests.assets.factories import Installation
from ds_assets_tests.checksums import checksum_in_any_order
from ds_assets_tests.rehearsal.world import World

GAME: Mapping[str, Any] = {
    "promotions": {
        "comeback": {
            "who": "churn_probability > 0.3",
            "control": "30%",
            "detects": "20%",
            "group": "offers",
        },
        "bundle": {
            "who": "coalesce(spend_7d, 0) = 0",
            "priority": 1,
            "per_day": 20,
            "as_before": {"offer": "old_bundle", "share": "20%"},
            "group": "offers",
        },
    },
    "holdout": "10%",
}
FACTS = (PROMOTIONS.name, PROMOTION_CHANGES.name, PROMOTION_OFFERS.name, SHOWN_OFFERS)
"""Folders of the lake with what depends on when something became known: somebody acted on it."""
_OTHER_ARMS = {CONTROL, HOLDOUT}
_SEEN_SHARE = 0.3

Offers = dict[tuple[str, str], str]
"""Assignment id of the offer of a user and a promotion."""


def report_shown_offers(world: World) -> None:
    """Let some players of the day see their offers, which their clients report."""
    lake, yesterday = world.installation.lake, world.today - dt.timedelta(1)
    in_effect = assignments_in_effect(yesterday, lake, world.installation.game).to_pylist()
    at, chance = (
        dt.datetime.combine(world.today, dt.time(12), dt.UTC),
        random.Random(str(yesterday)),
    )
    shown = [
        ShownOffer(row["user_id"], row["assignment_id"], at)
        for row in in_effect
        if row["offer"] and chance.random() < _SEEN_SHARE
    ]
    if shown:
        store_shown_offers(shown, world.today, lake)


def copy_facts(installation: Installation, other: Installation) -> None:
    """Copy what was assigned, stored of changes and reported to another installation."""
    for folder in FACTS:
        for item in installation.lake.objects(folder):
            other.lake.write(item.name, installation.lake.read(item.name))


def find_broken_rules(world: World) -> list[str]:
    """Find what is wrong with all that was assigned, stored and sent until now."""
    assigned = _read_assigned(world.installation)
    messages = _read_messages(world)
    return [
        *_find_rewritten_days(world),
        *_find_changed_arms(assigned),
        *_find_early_repetitions(assigned, world),
        *_find_offers_of_others(assigned, messages),
        *_find_wrong_sums(world.installation),
    ]


def find_unfinished(world: World) -> list[str]:
    """Find what is not as it has to be once nothing happens any more."""
    installation = world.installation
    newest = max(stored_days(PROMOTION_OFFERS.name, installation.lake))
    in_effect = assignments_in_effect(newest, installation.lake, installation.game)
    offers = _offers(offers_of_day(newest, in_effect).to_pylist())
    ends = {
        "the stored changes": _read_offers(newest, installation),
        "the messages to the receiver": _replay(_read_messages(world)),
    }
    return [
        f"{name} do not end at the offers in effect on {newest}"
        for name, end in ends.items()
        if end != offers
    ]


def _read_assigned(installation: Installation) -> pd.DataFrame:
    lake = installation.lake
    return read_assignments(stored_days(PROMOTIONS.name, lake), PROMOTIONS.names, lake)


def _read_messages(world: World) -> list[dict[str, Any]]:
    """The changes in all messages that the receiver has, each once, in their order."""
    messages = dict(world.servers.receiver.accepted)  # a receiver ignores an id that it has
    return [change for message in messages.values() for change in message["data"]["changes"]]


def _find_rewritten_days(world: World) -> Iterator[str]:
    lake = world.installation.lake
    for table in (PROMOTIONS, PROMOTION_CHANGES):
        for day in stored_days(table.name, lake):
            name = f"{table.name} of {day}"
            content = checksum_in_any_order(read_rows(table, day, lake))
            if world.facts.setdefault(name, content) != content:
                yield f"{name} was rewritten"


def _find_changed_arms(assigned: pd.DataFrame) -> Iterator[str]:
    arms = assigned.groupby(["promotion", "user_id"])["arm"].agg(set)
    for promotion, user in arms.index[arms.map(len) > 1]:
        yield f"{user} has several arms of {promotion}"


def _find_early_repetitions(assigned: pd.DataFrame, world: World) -> Iterator[str]:
    """Assignments within the cool-down of an earlier one, which counted at the time."""
    ordered = assigned[~assigned["as_of"].isin(world.withdrawn)].sort_values("as_of")
    for promotion, rows in ordered.groupby("promotion"):
        days = dt.timedelta(cool_down_of(world.installation.game, str(promotion)))
        gaps = rows.groupby("user_id")["as_of"].diff()
        for user in rows["user_id"][gaps < days]:
            yield f"{user} has {promotion} again within its cool-down"


def _find_offers_of_others(
    assigned: pd.DataFrame, messages: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    others = assigned[assigned["arm"].isin(_OTHER_ARMS)]
    for user in others["user_id"][others["offer"].notna()]:
        yield f"{user} is kept without an offer and has one"
    kept = set(zip(others["user_id"], others["promotion"], strict=True))
    for user, promotion in {(it["user_id"], it["promotion"]) for it in messages} & kept:
        yield f"the receiver hears of {user}, who is kept without {promotion}"


def _find_wrong_sums(installation: Installation) -> Iterator[str]:
    lake = installation.lake
    days = sorted(stored_days(PROMOTION_CHANGES.name, lake))
    changes = [row for day in days for row in read_rows(PROMOTION_CHANGES, day, lake).to_pylist()]
    if _replay(changes) != _read_offers(days[-1], installation):
        yield f"the changes until {days[-1]} do not add up to its offers"


def _replay(changes: Iterable[Mapping[str, Any]]) -> Offers:
    offers = Offers()
    for change in changes:
        key = change["user_id"], change["promotion"]
        if change["change"] == LEFT:
            offers.pop(key, None)
        else:
            offers[key] = change["assignment_id"]
    return offers


def _read_offers(day: dt.date, installation: Installation) -> Offers:
    return _offers(read_rows(PROMOTION_OFFERS, day, installation.lake).to_pylist())


def _offers(rows: Iterable[Mapping[str, Any]]) -> Offers:
    return {(row["user_id"], row["promotion"]): row["assignment_id"] for row in rows}
