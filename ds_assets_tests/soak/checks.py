"""What must be true of every reply, whatever is down.

Scope: the rules. A violation is recorded as a sentence, and does not end the soak.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ds_assets.serving.sources import REQUEST_TIMEOUT_S
from ds_assets_tests.serving.factories import end_of
from ds_assets_tests.soak.http import Reply
from ds_assets_tests.soak.world import World

LATE = 0.5
"""Seconds allowed beyond the deadline, because the load also keeps the machine busy."""
_OK, _OVERLOADED = 200, 503
_VERSIONS = ("churn_model", "payment_model", "cluster_model")
_OF_ITSELF = ("user_id", "status", "source", "age_seconds")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came back.

    Attributes:
        users: The requested users; the ids of unknown users begin with `nobody`.
        sent: Time of sending, in seconds since 1970-01-01, UTC.
        received: Time at which the reply was complete.
        features_of: Day of the features that were sent, for a request to score users.
    """

    users: Sequence[str]
    sent: float
    received: float
    features_of: dt.date | None = None

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.received - self.sent


def breaches(
    asked: Asked, reply: Reply, world: World, *, all_is_up: bool, may_refuse: bool
) -> list[str]:
    """What is wrong with a reply.

    Args:
        asked: The request.
        reply: Its reply.
        world: The expected values.
        all_is_up: Whether nothing has been down for a while, so that known users must be answered.
        may_refuse: Whether the load is so high that requests may be refused with a retry time.
    """
    if may_refuse and reply.status == _OVERLOADED and reply.headers.get("retry-after") == "1":
        return []
    if reply.status != _OK:
        return [f"status {reply.status}: {reply.body[:200]!r}"]
    answers, found = answers_of(reply), []
    if asked.seconds > REQUEST_TIMEOUT_S + LATE:
        found.append(f"{asked.seconds:.2f} s for {len(asked.users)} users")
    if [answer["user_id"] for answer in answers] != list(asked.users):
        return [
            *found,
            f"asked for {asked.users}, answered for {[answer['user_id'] for answer in answers]}",
        ]
    for one in answers:
        found += _of_answer(one, asked, world, all_is_up=all_is_up)
    return found


def answers_of(reply: Reply) -> list[dict[str, Any]]:
    """The answers of a reply; none if it is an error."""
    if reply.status != _OK:
        return []
    body = reply.json
    answers: list[dict[str, Any]] = body.get("predictions", [body])
    return answers


def _of_answer(one: dict[str, Any], asked: Asked, world: World, *, all_is_up: bool) -> list[str]:
    user, source = one["user_id"], one["source"]
    if user.startswith("nobody") or source == "default":
        if all_is_up and not (user.startswith("nobody") and one["status"] == "unknown_user"):
            return [f"{user} is {one['status']} while everything is up"]
        honest = source == "default" and one["status"] in {"unknown_user", "not_enough_data"}
        return [] if honest and one["user_group"] is None else [f"made up: {one}"]
    day = dt.date.fromisoformat(one["as_of"])
    if day not in world.landed:
        return [f"{user} is answered with {day}, which has not arrived yet"]
    true = world.truth[day][user]
    if asked.features_of not in (None, day):  # they were of another day than the models
        return _of_values(one, {name: true[name] for name in _VERSIONS})
    return _of_age(one, day, asked) + _of_values(one, true)


def _of_age(one: dict[str, Any], day: dt.date, asked: Asked) -> list[str]:
    end = end_of(day)
    least, most = asked.sent - end - 1, asked.received - end + 1
    if least <= one["age_seconds"] <= most:
        return []
    return [f"{one['user_id']} of {day} says {one['age_seconds']} s; it is {most - 1:.0f} s old"]


def _of_values(one: dict[str, Any], true: Any) -> list[str]:
    values = {name: value for name, value in one.items() if name not in _OF_ITSELF}
    known = {name: str(value) if isinstance(value, dt.date) else value
             for name, value in true.items()}  # fmt: skip
    wrong = [name for name in known if values.get(name) != known[name]]
    return [f"{one['user_id']} by {one['source']}: wrong {', '.join(wrong)}"] if wrong else []
