"""Decisions of the operator about days: accepting one that a check refused, refusing one."""

import datetime as dt

from ds_assets.core.verdicts import Decision, Verdict
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.adoption import open_records
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.event_ids import find_sharing_days
from ds_assets.infra.lake.verdicts import store_verdict


def decide_by_operator(
    day: dt.date, decision: Decision, reason: str, by: str, lake: Lake, game: Game
) -> Verdict:
    """Accept a refused day, or refuse a day, as its `user_activity` is now.

    Later days that repeat its events are marked to be made again: an event counts on the first day
    that is used.

    Args:
        day: The day.
        decision: The decision.
        reason: Why, in words.
        by: User name of the operator.
        lake: Where the day is stored.
        game: The game.

    Returns:
        The verdict, which is stored.

    Raises:
        InputError: there is no reason, no `user_activity` of this day, or nothing to accept.
    """
    records = open_records(game, lake)
    record = records.recorded_days("user_activity").get(day)
    if not reason.strip():
        raise InputError("a reason is required, for whoever looks at the day later")
    if record is None:
        raise InputError(
            f"there is no user_activity of {day} to decide about; materialize user_activity first"
        )
    if decision is Decision.ACCEPTED and day not in records.refused_days():
        raise InputError(f"{day} is not refused; there is nothing to accept")
    checked = records.verdict(day)
    verdict = Verdict(
        day=day,
        content=record.content,
        decision=decision,
        reason=reason.strip(),
        by=by,
        at=dt.datetime.now(dt.UTC),
        findings=checked.findings if checked else {},
    )
    # Marked first: a process that is killed in between makes these days again without need.
    reason = f"{day} is {verdict}, and this day has some of its events, too"
    records.mark_again("user_activity", find_sharing_days(day, game, lake), reason)
    store_verdict(verdict, lake)
    return verdict
