"""Promotions through the whole graph, from one day to the next, and old days run again."""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow.compute as pc
import pytest

from ds_assets.cli.standing import read_status
from ds_assets.core.promotions.decisions import Choice
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTIONS
from ds_assets.errors import InputError
from ds_assets.infra.lake.promotion_states import decide_about_promotion
from ds_assets.infra.lake.promotions import read_assignments
from ds_assets.infra.lake.tables import read_rows, stored_days
from ds_assets.jobs import DAILY, DELIVERED
from ds_assets_tests.assets.factories import (
    Installation,
    change_game,
    day,
    event,
    make_installation,
)
from ds_assets_tests.infra.factories import get_rows
from ds_assets_tests.infra.lake.test_promotion_states import store_outcomes
from ds_assets_tests.infra.receivers import ACKNOWLEDGED, SECRET, Receiver, Reply, receiving

pytestmark = pytest.mark.slow

USERS = [f"u{number}" for number in range(12)]
BUNDLE: Mapping[str, Any] = {"who": "active_days_1d > 0", "control": "30%", "group": "offers"}
REFUSED: Reply = (400, {})
AWAY: Reply = (503, {"retry-after": "3600"})
"""What makes a run give up at once."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Two days of a small game with a promotion."""
    home = tmp_path_factory.mktemp("promoted") / "home"
    installation = make_installation(home, promotions={"bundle": BUNDLE})
    write_logs(installation, 0, USERS[:9])
    write_logs(installation, 1, USERS[:10])
    installation.run(day(0), day(1), DAILY)
    return installation


@pytest.fixture
def copy(played: Installation, tmp_path: Path) -> Installation:
    return played.copy(tmp_path / "home")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as passing:
        yield passing


def write_logs(installation: Installation, number: int, users: list[str], **named: str) -> None:
    lines = [event(n, f"{day(number)}T12:00:00Z", user) for n, user in enumerate(users)]
    installation.write_logs(day(number), *lines, **named)


def with_promotions(installation: Installation, **promotions: Mapping[str, Any]) -> Installation:
    change_game(installation, {"promotions": {name: dict(it) for name, it in promotions.items()}})
    return Installation(installation.home, installation.overrides)


def run_day(installation: Installation, number: int, **options: Any) -> None:
    """Run the next day, on which all users play."""
    write_logs(installation, number, USERS)
    installation.run(day(number), assets=DAILY, **options)


def assigned(installation: Installation, *numbers: int) -> pd.DataFrame:
    return read_assignments([day(it) for it in numbers], PROMOTIONS.names, installation.lake)


def files(installation: Installation, *tables: str) -> dict[str, bytes]:
    """All that is stored of tables."""
    lake = installation.lake
    return {it.name: lake.read(it.name) for table in tables for it in lake.objects(table)}


def delivered(installation: Installation, number: int) -> set[tuple[str, str]]:
    """Users with their promotions of a day in the results database, in whatever arm."""
    with installation.results() as results:
        rows = results.promotions(day(number)).to_pylist()
    return {(row["user_id"], row["promotion"]) for row in rows}


def cached_offers(installation: Installation) -> dict[str, list[str]]:
    """Names of the offers that each user has in the cache."""
    with installation.cache() as cache:
        rows = get_rows(cache, USERS)
    return {
        user: [offer["offer"] for offer in row.get("promotions") or []]
        for user, row in zip(USERS, rows, strict=True)
        if row
    }


def changes(installation: Installation, number: int) -> set[tuple[str, str, str]]:
    """User, promotion and change of each change of a day."""
    rows = read_rows(PROMOTION_CHANGES, day(number), installation.lake).to_pylist()
    return {(row["user_id"], row["promotion"], row["change"]) for row in rows}


def treated(rows: pd.DataFrame) -> set[str]:
    return set(rows["user_id"][rows["arm"] == "treated"])


def check_of(instance: dg.DagsterInstance, name: str) -> dg.AssetCheckEvaluation:
    """The newest result of a check of promotions."""
    key = dg.AssetCheckKey(dg.AssetKey("promotions"), name)
    (run,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert run.event is not None
    assert run.event.dagster_event is not None
    return run.event.dagster_event.asset_check_evaluation_data


def test_useless_predictions_stop_a_promotion_until_a_person_continues_it(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    promoted = with_promotions(copy, bundle=BUNDLE, gift={"who": "true", "target": "payment"})
    store_outcomes(promoted.lake, day(0), churn="useless", payment="as_promised")
    run_day(promoted, 2, instance=instance)
    assert set(assigned(promoted, 2)["promotion"]) == {"gift"}
    check = check_of(instance, "are_running")
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    reason = f"stopped, churn predictions of {day(0)} were useless"
    assert f"bundle {reason}; gift runs" in str(check.description)
    status = read_status(promoted.installed, dt.datetime(2026, 1, 4, 12, tzinfo=dt.UTC))
    assert status.promotions == {"bundle": reason, "gift": "runs"}
    (text,) = [it for it in status.attention if "bundle" in it]
    assert "`ds-assets resume bundle`" in text
    # What was assigned before stays in effect, so that it can be measured.
    assert ("u1", "bundle") in delivered(promoted, 2)
    decide_about_promotion(
        "bundle", Choice.RESUMED, "a holiday", "anna", promoted.lake, promoted.game
    )
    run_day(promoted, 3, instance=instance)
    newly = set(USERS) - set(assigned(promoted, 0, 1)["user_id"])
    rows = assigned(promoted, 3)
    assert set(rows["user_id"][rows["promotion"] == "bundle"]) == newly
    assert check_of(instance, "are_running").passed


def test_promotions_that_fight_for_users_share_them_out(copy: Installation) -> None:
    rival = {"who": "true", "control": "30%", "group": "offers", "priority": 9}
    promoted = with_promotions(copy, bundle=BUNDLE, rival=rival)
    run_day(promoted, 2)
    newly = set(USERS) - set(assigned(promoted, 0, 1)["user_id"])
    rows = assigned(promoted, 2)
    assert dict(zip(rows["user_id"], rows["promotion"], strict=True)) == dict.fromkeys(
        newly, "rival"
    )
    expected = dict.fromkeys(USERS, "bundle") | dict.fromkeys(newly, "rival")
    with promoted.results() as results:
        in_effect = results.promotions(day(2))
    assert in_effect.num_rows == len(USERS)
    assert delivered(promoted, 2) == set(expected.items())
    offered = in_effect.filter(pc.is_valid(in_effect["offer"]))["user_id"].to_pylist()
    assert cached_offers(promoted) == {
        user: [expected[user]] if user in offered else [] for user in USERS
    }


def test_a_promotion_that_is_renamed_or_removed_ends_and_its_history_stays(
    copy: Installation,
) -> None:
    before, had = files(copy, "promotions", "promotion_changes"), treated(assigned(copy, 0, 1))
    renamed = with_promotions(copy, welcome=BUNDLE)
    run_day(renamed, 2)
    rows = assigned(renamed, 2)
    assert set(rows["user_id"]) == set(USERS)  # a new name draws again
    assert delivered(renamed, 2) == {(user, "welcome") for user in USERS}
    assert changes(renamed, 2) == {
        *((user, "bundle", "left") for user in had),
        *((user, "welcome", "entered") for user in treated(rows)),
    }
    removed = with_promotions(renamed)
    run_day(removed, 3)
    assert delivered(removed, 3) == set()
    assert delivered(removed, 2) != set()
    assert not any(cached_offers(removed).values())
    assert files(removed, "promotions", "promotion_changes").items() >= before.items()
    assert [*stored_days(PROMOTIONS.name, removed.lake)] == [day(0), day(1), day(2)]


def test_a_promotion_that_comes_back_gives_every_user_the_arm_of_before(
    copy: Installation,
) -> None:
    run_day(with_promotions(copy), 2)
    back = with_promotions(copy, bundle=BUNDLE)
    run_day(back, 3)
    old, new = (assigned(back, *days).set_index("user_id")["arm"] for days in ((0, 1), (3,)))
    assert set(new.index) == set(USERS) - set(old.index)
    assert delivered(back, 3) == {(user, "bundle") for user in USERS}
    for number in range(4, 7):  # the five days of the target are over on the day after the last
        run_day(back, number)
    again = assigned(back, 5, 6).set_index("user_id")["arm"]
    assert again.to_dict() == old.to_dict()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def notify(installation: Installation, receiver: Receiver) -> Installation:
    settings = {"webhook_url": receiver.url, "webhook_secret": SECRET}
    return Installation(installation.home, settings)


def users_in(receiver: Receiver) -> list[set[str]]:
    """Users whose offers began in each acknowledged message."""
    return [
        {it["user_id"] for it in message["data"]["changes"] if it["change"] == "entered"}
        for _, message in receiver.accepted
    ]


def test_old_days_that_run_again_assign_and_send_nothing_more(
    copy: Installation, receiver: Receiver
) -> None:
    promoted = notify(copy, receiver)
    run_day(promoted, 2)
    assert len(receiver.accepted) == 1
    before = files(promoted, "promotions", "promotion_changes", "promotion_offers")
    write_logs(promoted, 0, ["late", *USERS], name="late.jsonl")
    for first, last in ((0, 0), (0, 2), (1, 1)):
        promoted.run(day(first), day(last), DAILY)
    for number in range(3):
        promoted.run(day(number), assets=DELIVERED)
    assert len(promoted.predictions(day(0))) == len(USERS) + 1  # who has no assignment of that day
    assert files(promoted, "promotions", "promotion_changes", "promotion_offers") == before
    assert len(receiver.attempts) == 1


@pytest.mark.parametrize(("reply", "words"), [(REFUSED, "answers 400"), (AWAY, "answers 503")])
def test_a_receiver_that_fails_holds_nothing_else_up_and_hears_of_all_days_later(
    reply: Reply, words: str, copy: Installation, receiver: Receiver
) -> None:
    promoted = notify(copy, receiver)
    run_day(promoted, 2)
    receiver.reply = lambda _: reply
    newcomers = {"v1", "v2", "v3", "v4", "v5", "v6"}
    for number in (3, 4):
        write_logs(promoted, number, [*USERS, *newcomers])
        with pytest.raises(Exception, match=words) as failure:
            promoted.run(day(number), assets=DAILY)
        assert "DS_ASSETS_WEBHOOK_URL" in str(failure.value)
        assert isinstance(failure.value, InputError) == (reply is REFUSED)
    offered = treated(assigned(promoted, 3)) & newcomers
    assert offered
    assert delivered(promoted, 4) >= {(user, "bundle") for user in newcomers}
    assert not any(newcomers & users for users in users_in(receiver))
    receiver.reply = lambda _: ACKNOWLEDGED
    promoted.run(day(4), assets=DELIVERED)
    assert users_in(receiver)[1] == offered
    days = [message["data"]["as_of"] for _, message in receiver.accepted]
    assert days == sorted(days)
    count = len(receiver.attempts)
    for number in (3, 4):
        promoted.run(day(number), assets=DELIVERED)
    assert len(receiver.attempts) == count
