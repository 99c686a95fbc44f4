"""Refused and accepted days, for those that read them."""

import datetime as dt

import pyarrow as pa
import pytest

from ds_assets.core.tables import EVENT_IDS
from ds_assets.core.verdicts import Decision, Verdict, decide_by_checks
from ds_assets.errors import InputError
from ds_assets.game import Game
from ds_assets.infra.lake.base import Lake
from ds_assets.infra.lake.decisions import decide_by_operator
from ds_assets.infra.lake.provenance import Records, recorded, stored_content
from ds_assets.infra.lake.tables import store_rows, table_file
from ds_assets.infra.lake.verdicts import store_verdict
from ds_assets_tests.core.factories import FIRST_DAY, make_game
from ds_assets_tests.infra.lake.recorded_days import ACTIVITY, FEATURES, GAME, LINEAGES, day, write


def store(lake: Lake, asset: str, *numbers: int, content: str = "", finding: str = "") -> None:
    """Store days of an asset as it does; a finding is what a check has found."""
    with recorded(asset, [day(number) for number in numbers], LINEAGES, lake, "run"):
        for number in numbers:
            write(lake, asset, number, content)
            if finding:
                refuse_by_check(lake, number, finding)


def refuse_by_check(lake: Lake, number: int, finding: str) -> None:
    content = stored_content(LINEAGES[ACTIVITY], day(number), lake)
    now = dt.datetime.now(dt.UTC)
    verdict = decide_by_checks(day(number), content, {"has_events": finding}, None, now)
    assert verdict is not None
    store_verdict(verdict, lake)


def records(lake: Lake) -> Records:
    return Records(LINEAGES, lake)


def outdated(lake: Lake) -> list[int]:
    return [(it - FIRST_DAY).days for it in records(lake).outdated_days(FEATURES)]


def refused(lake: Lake) -> list[int]:
    return sorted((it - FIRST_DAY).days for it in records(lake).refused_days())


def decide(lake: Lake, number: int, decision: Decision, reason: str = "why") -> Verdict:
    return decide_by_operator(day(number), decision, reason, "anna", lake, GAME)


def accept(lake: Lake, number: int) -> Verdict:
    return decide(lake, number, Decision.ACCEPTED)


def refuse(lake: Lake, number: int) -> Verdict:
    return decide(lake, number, Decision.REFUSED)


def make_lake_with_a_refused_day(lake: Lake) -> None:
    store(lake, ACTIVITY, 0)
    store(lake, ACTIVITY, 1, finding="no valid events")
    store(lake, ACTIVITY, 2)
    store(lake, FEATURES, 0, 2)


def test_a_refused_day_is_read_by_no_other(lake: Lake) -> None:
    make_lake_with_a_refused_day(lake)
    assert refused(lake) == [1]
    assert list(records(lake).inputs(FEATURES, day(2))) == [
        f"user_activity {day(0)}",
        f"user_activity {day(2)}",
    ]
    assert list(records(lake).usable_files(ACTIVITY)) == [day(0), day(2)]
    assert outdated(lake) == []


def test_a_day_that_is_stored_is_used_by_none_before_it_is_recorded_with_its_verdict(
    lake: Lake,
) -> None:
    store(lake, ACTIVITY, 0)
    with recorded(ACTIVITY, [day(1)], LINEAGES, lake, "run"):
        write(lake, ACTIVITY, 1)
        assert list(records(lake).usable_files(ACTIVITY)) == [day(0)]
        refuse_by_check(lake, 1, "no valid events")
        assert list(records(lake).usable_files(ACTIVITY)) == [day(0)]
    assert list(records(lake).usable_files(ACTIVITY)) == [day(0)]
    accept(lake, 1)
    assert list(records(lake).usable_files(ACTIVITY)) == [day(0), day(1)]


def test_a_day_that_must_not_be_used_gets_no_record(lake: Lake) -> None:
    store(lake, "predictions", 0, 1)
    with recorded("predictions", [day(0), day(1)], LINEAGES, lake, "run") as record:
        record.contents[day(1)] = None
    assert list(records(lake).usable_days("predictions")) == [day(0)]
    assert records(lake).outdated_days("predictions") == [day(1)]


def test_a_refused_day_is_itself_current(lake: Lake) -> None:
    make_lake_with_a_refused_day(lake)
    assert day(1) in records(lake).current_days(ACTIVITY)


def test_an_accepted_day_and_its_readers_are_made(lake: Lake) -> None:
    make_lake_with_a_refused_day(lake)
    verdict = accept(lake, 1)
    assert (verdict.by, verdict.reason) == ("anna", "why")
    assert verdict.findings == {"has_events": "no valid events"}
    assert refused(lake) == []
    assert outdated(lake) == [1, 2]
    store(lake, FEATURES, 1, 2)
    assert outdated(lake) == []


def test_the_readers_of_a_withdrawn_day_are_made_again_without_it(lake: Lake) -> None:
    store(lake, ACTIVITY, 0, 1, 2)
    store(lake, FEATURES, 0, 1, 2)
    refuse(lake, 1)
    assert refused(lake) == [1]
    assert outdated(lake) == [2]


def test_a_withdrawn_day_takes_everything_that_was_made_for_it_along(lake: Lake) -> None:
    for asset in (ACTIVITY, FEATURES):
        store(lake, asset, 0, 1)
    refuse(lake, 1)
    assert list(records(lake).usable_days(FEATURES)) == [day(0)]


def test_another_content_of_a_day_is_evaluated_again(lake: Lake) -> None:
    make_lake_with_a_refused_day(lake)
    store(lake, ACTIVITY, 1, content="whole")
    assert refused(lake) == []
    refuse(lake, 1)
    store(lake, ACTIVITY, 1, content="whole again")
    assert refused(lake) == []
    store(lake, ACTIVITY, 1, content="whole")
    assert refused(lake) == [1]


def test_an_accepted_day_with_another_bad_content_is_refused(lake: Lake) -> None:
    make_lake_with_a_refused_day(lake)
    accept(lake, 1)
    store(lake, ACTIVITY, 1, content="worse", finding="no valid events")
    assert refused(lake) == [1]


def test_the_last_of_several_decisions_counts_and_all_are_kept(lake: Lake) -> None:
    make_lake_with_a_refused_day(lake)
    accept(lake, 1)
    refuse(lake, 1)
    assert refused(lake) == [1]
    accept(lake, 1)
    assert refused(lake) == []
    assert len(lake.entries("verdicts")) == 4


def test_only_a_refused_day_can_be_accepted(lake: Lake) -> None:
    store(lake, ACTIVITY, 0)
    with pytest.raises(InputError, match=f"{day(0)} is not refused; there is nothing to accept"):
        accept(lake, 0)


@pytest.mark.parametrize("decision", [*Decision])
def test_a_day_without_activity_cannot_be_decided(lake: Lake, decision: Decision) -> None:
    with pytest.raises(InputError, match=f"there is no user_activity of {day(5)} to decide about"):
        decide(lake, 5, decision)


def test_a_decision_needs_a_reason(lake: Lake) -> None:
    store(lake, ACTIVITY, 0)
    with pytest.raises(InputError, match="a reason is required"):
        decide(lake, 0, Decision.REFUSED, reason=" ")


@pytest.mark.parametrize("decision", [*Decision])
def test_later_days_that_have_events_of_a_decided_day_are_made_again(
    decision: Decision, lake: Lake
) -> None:
    game = store_days_with_ids(lake, decision)
    decide_by_operator(day(0), decision, "why", "anna", lake, game)
    assert marked_days(lake) == [day(1)]


@pytest.mark.parametrize(("damaged", "marked"), [(0, [1, 2]), (1, [1]), (2, [1, 2])])
def test_days_that_may_have_events_of_a_decided_day_are_made_again_when_ids_are_damaged(
    damaged: int, marked: list[int], lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    game = store_days_with_ids(lake, Decision.REFUSED)
    lake.write(table_file(EVENT_IDS.name, day(damaged)), b"PAR1")
    decide_by_operator(day(0), Decision.REFUSED, "why", "anna", lake, game)
    assert marked_days(lake) == [day(number) for number in marked]
    assert f"{table_file(EVENT_IDS.name, day(damaged))} is damaged" in caplog.text


def store_days_with_ids(lake: Lake, decision: Decision) -> Game:
    """Store days whose ids later ones have, before a decision about the first of them."""
    fields = {"user_id": "u", "event_time": "t", "event_type": "e", "event_id": "id"}
    game = make_game(fields=fields, logs={"duplicate_days": 3})
    store(lake, ACTIVITY, 0, finding="few events" if decision is Decision.ACCEPTED else "")
    store(lake, ACTIVITY, 1, 2, 4)
    for number, keys in {0: [7, 8], 1: [8, 9], 2: [9], 4: [7]}.items():
        ids = pa.table({"event_key": keys, "probe": [0] * len(keys)})
        store_rows(ids, EVENT_IDS.name, day(number), lake)
    return game


def marked_days(lake: Lake) -> list[dt.date]:
    recorded_days = records(lake).recorded_days(ACTIVITY).items()
    return [marked for marked, record in recorded_days if record.is_marked]
