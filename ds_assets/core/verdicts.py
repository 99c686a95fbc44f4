"""Verdicts on days of `user_activity`: refused by a check or by the operator, or accepted.

Scope: the record of a decision and its name, and what the checks decide. A verdict holds for one
content of one day; of several, the newest counts. A day without a verdict has passed its checks.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from pydantic import ConfigDict, Field

from ds_assets.core.stored_documents import StoredDocument

CHECKS = "the checks"
"""Author of the verdicts that no person has given."""


class Decision(StrEnum):
    """Whether a day may be used."""

    REFUSED = "refused"
    ACCEPTED = "accepted"


class Verdict(StoredDocument):
    """The decision on a day.

    Attributes:
        day: The day.
        content: Fingerprint of the `user_activity` that it is about.
        decision: The decision.
        reason: Why, in words.
        by: The user name of the operator, or `CHECKS`.
        at: When.
        findings: What each check has found, by its name; empty where none has found anything.
    """

    model_config = ConfigDict(frozen=True)

    day: dt.date
    content: str
    decision: Decision
    reason: str
    by: str = CHECKS
    at: dt.datetime
    findings: dict[str, str] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the record, which `verdict_name` reads; names ascend with time."""
        at = f"{self.at.astimezone(dt.UTC):%Y%m%dT%H%M%S%f}"
        return str(VerdictName(self.day, at, self.content, self.decision))

    def __str__(self) -> str:
        return f"{self.decision} by {self.by}: {self.reason}"


class VerdictName(NamedTuple):
    """What the name of a verdict says."""

    day: dt.date
    at: str
    content: str
    decision: Decision

    def __str__(self) -> str:
        return f"{self.day}.{self.at}.{self.content}.{self.decision}.json"


def verdict_name(text: str) -> VerdictName | None:
    """Read the name of a verdict; none for anything else."""
    match text.split("."):
        case [day, at, content, decision, "json"]:
            try:
                return VerdictName(dt.date.fromisoformat(day), at, content, Decision(decision))
            except ValueError:
                return None
    return None


def newest_verdicts(
    names: Iterable[str], contents: Mapping[dt.date, str]
) -> dict[dt.date, VerdictName]:
    """Find the verdict that counts for each day.

    Args:
        names: Names of all verdicts.
        contents: Fingerprint of the present content of each day. A day without one is being made,
            or its run was killed; its newest verdict counts until it is whole.
    """
    verdicts = filter(None, map(verdict_name, names))
    return {
        verdict.day: verdict
        for verdict in sorted(verdicts, key=lambda it: it.at)
        if contents.get(verdict.day, verdict.content) == verdict.content
    }


def decide_by_checks(
    day: dt.date, content: str, findings: Mapping[str, str], last: Verdict | None, now: dt.datetime
) -> Verdict | None:
    """Decide on a day by what its checks have found.

    Args:
        day: The day.
        content: Fingerprint of its `user_activity`.
        findings: What each check has found, by its name.
        last: The verdict on this content that counts so far.
        now: The current time.

    Returns:
        A new verdict; none if the last one stands, as that of a person always does.
    """
    if last is not None and last.by != CHECKS:
        return None
    is_refused = last is not None and last.decision is Decision.REFUSED
    if findings == (last.findings if last is not None and is_refused else {}):
        return None
    decision = Decision.REFUSED if findings else Decision.ACCEPTED
    reason = "; ".join(findings.values()) or "no check fails any longer"
    return Verdict(
        day=day, content=content, decision=decision, reason=reason, at=now, findings=dict(findings)
    )
