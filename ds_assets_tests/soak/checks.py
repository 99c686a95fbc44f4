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

LATE = 3.0
"""Seconds allowed beyond the deadline: the load, and whatever else a machine has to do, delay an
answer, while a request that nobody ends would take the ten seconds of its client."""
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


def breaches(request: Asked, reply: Reply, world: World, *, may_refuse: bool) -> list[str]:
    """What is wrong with a reply.

    Args:
        request: The request.
        reply: Its reply.
        world: The expected values.
        may_refuse: Whether the load is so high that requests may be refused with a retry time.
    """
    if may_refuse and reply.status == _OVERLOADED and reply.headers.get("retry-after") == "1":
        return []
    if reply.status != _OK:
        return [f"status {reply.status}: {reply.body[:200]!r}"]
    answers, faults = answers_of(reply), []
    if request.seconds > REQUEST_TIMEOUT_S + LATE:
        faults.append(f"{request.seconds:.2f} s for {len(request.users)} users")
    if [answer["user_id"] for answer in answers] != list(request.users):
        return [
            *faults,
            f"asked for {request.users}, answered for {[answer['user_id'] for answer in answers]}",
        ]
    for answer in answers:
        faults += _of_answer(answer, request, world)
    return faults


def breaches_of_report(reply: Reply, count: int, *, all_is_up: bool) -> list[str]:
    """What is wrong with the reply to a report of shown offers.

    Args:
        reply: The reply.
        count: Offers in the report.
        all_is_up: Whether the report must be stored; otherwise it may be refused.
    """
    if reply.status == _OVERLOADED and not all_is_up and "retry-after" in reply.headers:
        return []
    if reply.status == _OK and reply.json == {"stored": count}:
        return []
    return [f"a report of {count} offers: status {reply.status}: {reply.body[:200]!r}"]


def count_uncertain(reply: Reply) -> int:
    """How many answers of a reply do not say what they would with every server up and in time."""
    return sum(
        answer["source"] == "default"
        and not (answer["user_id"].startswith("nobody") and answer["status"] == "unknown_user")
        for answer in answers_of(reply)
    )


def answers_of(reply: Reply) -> list[dict[str, Any]]:
    """The answers of a reply; none if it is an error."""
    if reply.status != _OK:
        return []
    body = reply.json
    answers: list[dict[str, Any]] = body.get("predictions", [body])
    return answers


def _of_answer(answer: dict[str, Any], request: Asked, world: World) -> list[str]:
    user, source = answer["user_id"], answer["source"]
    if user.startswith("nobody") or source == "default":
        honest = source == "default" and answer["status"] in {"unknown_user", "not_enough_data"}
        return [] if honest and answer["user_group"] is None else [f"made up: {answer}"]
    day = dt.date.fromisoformat(answer["as_of"])
    if day not in world.landed:
        return [f"{user} is answered with {day}, which has not arrived yet"]
    true = world.truth[day][user]
    if request.features_of not in (None, day):  # they were of another day than the models
        return _of_values(answer, {name: true[name] for name in _VERSIONS})
    return _of_age(answer, day, request) + _of_values(answer, true)


def _of_age(answer: dict[str, Any], day: dt.date, request: Asked) -> list[str]:
    end = end_of(day)
    least, most = request.sent - end - 1, request.received - end + 1
    if least <= answer["age_seconds"] <= most:
        return []
    return [
        f"{answer['user_id']} of {day} says {answer['age_seconds']} s; it is {most - 1:.0f} s old"
    ]


def _of_values(answer: dict[str, Any], true: Any) -> list[str]:
    values = {name: value for name, value in answer.items() if name not in _OF_ITSELF}
    expected = {name: str(value) if isinstance(value, dt.date) else value
             for name, value in true.items()}  # fmt: skip
    wrong = [name for name in expected if values.get(name) != expected[name]]
    return [f"{answer['user_id']} by {answer['source']}: wrong {', '.join(wrong)}"] if wrong else []
