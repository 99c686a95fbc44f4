"""Verdicts: which one counts, and what the checks decide."""

import datetime as dt

import pytest

from ds_assets.core.verdicts import (
    CHECKS,
    Decision,
    Verdict,
    decide_by_checks,
    newest_verdicts,
    verdict_name,
)
from ds_assets_tests.core.factories import FIRST_DAY

NOON = dt.datetime(2026, 2, 1, 12, tzinfo=dt.UTC)
FINDINGS = {"has_events": "no valid events"}


def verdict(decision: str, content: str = "c1", hour: int = 0, by: str = CHECKS) -> Verdict:
    return Verdict(
        day=FIRST_DAY,
        content=content,
        decision=Decision(decision),
        reason="why",
        by=by,
        at=NOON + dt.timedelta(hours=hour),
        findings=FINDINGS,
    )


def decide(findings: dict[str, str], last: Verdict | None = None) -> str | None:
    decided = decide_by_checks(FIRST_DAY, "c1", findings, last, NOON)
    return None if decided is None else str(decided)


def test_a_name_holds_what_a_listing_needs() -> None:
    name = verdict_name(verdict("refused").name)
    assert name is not None
    assert (name.day, name.content, name.decision) == (FIRST_DAY, "c1", Decision.REFUSED)
    assert str(name) == verdict("refused").name


@pytest.mark.parametrize(
    "name", ["", "x.json", "2026-01-01.1.c.unsure.json", "yesterday.1.c.refused.json", "a.b.c"]
)
def test_other_objects_are_not_verdicts(name: str) -> None:
    assert verdict_name(name) is None


def test_the_newest_verdict_on_the_present_content_counts() -> None:
    names = [
        verdict("accepted", hour=1).name,
        verdict("refused", "c2", hour=2).name,
        verdict("refused", hour=0).name,
    ]
    of_first = newest_verdicts(names, {FIRST_DAY: "c1"})[FIRST_DAY]
    of_second = newest_verdicts(names, {FIRST_DAY: "c2"})[FIRST_DAY]
    assert (of_first.decision, of_second.decision) == (Decision.ACCEPTED, Decision.REFUSED)
    assert newest_verdicts(names, {FIRST_DAY: "another"}) == {}


def test_a_day_that_is_not_whole_keeps_its_newest_verdict() -> None:
    names = [verdict("accepted", hour=1).name, verdict("refused", "c2", hour=2).name]
    assert newest_verdicts(names, {})[FIRST_DAY].decision is Decision.REFUSED


def test_checks_refuse_a_day_by_what_they_find() -> None:
    assert decide(FINDINGS) == "refused by the checks: no valid events"
    assert decide({}) is None


def test_the_same_refusal_is_not_recorded_twice() -> None:
    assert decide(FINDINGS, verdict("refused")) is None
    assert decide({"has_events": "none"}, verdict("refused")) is not None


def test_checks_take_their_own_refusal_back() -> None:
    taken_back = "accepted by the checks: no check fails any longer"
    assert decide({}, verdict("refused")) == taken_back
    assert decide({}, verdict("accepted")) is None


@pytest.mark.parametrize("decision", [*Decision])
@pytest.mark.parametrize("findings", [{}, FINDINGS])
def test_what_a_person_has_decided_on_this_content_stands(
    decision: str, findings: dict[str, str]
) -> None:
    assert decide(findings, verdict(decision, by="anna")) is None
