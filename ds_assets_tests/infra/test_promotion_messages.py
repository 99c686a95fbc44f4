"""Sending changes of offers: each once and in order, whatever is down or killed meanwhile."""

import datetime as dt
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from ds_assets.core.promotions.changes import find_changes, offers_of_day
from ds_assets.core.promotions.messages import CHANGES_PER_MESSAGE, build_message
from ds_assets.core.stored_documents import DamagedDocumentError
from ds_assets.core.tables import PROMOTION_CHANGES, PROMOTION_OFFERS
from ds_assets.infra import promotion_messages
from ds_assets.infra.lake.folder import FolderLake
from ds_assets.infra.lake.provenance import FIRST_KEPT_DAYS
from ds_assets.infra.lake.tables import read_rows, store_rows
from ds_assets.infra.promotion_messages import FOLDER, send_changes
from ds_assets.infra.webhook import Webhook, WebhookRefused, WebhookUnavailable
from ds_assets.local_servers.process import free_port
from ds_assets_tests.core.factories import make_game
from ds_assets_tests.infra.factories import DAYS, assignment, assignments
from ds_assets_tests.infra.receivers import ACKNOWLEDGED, SECRET, Reply, receiving, serve_process
from ds_assets_tests.infra.results.processes import running

GAME = make_game()
KILLS = 20


@pytest.fixture
def lake(tmp_path: Path) -> FolderLake:
    return FolderLake(tmp_path / "lake")


def store_day(lake: FolderLake, number: int, before: Sequence[str], after: Sequence[str]) -> None:
    """Store the changes of a day from the users with an offer before to those after."""
    old, new = (
        offers_of_day(DAYS[number], assignments(*(assignment(it, DAYS[number]) for it in users)))
        for users in (before, after)
    )
    store_rows(new, PROMOTION_OFFERS.name, DAYS[number], lake)
    changes = find_changes(DAYS[number], old, new)
    store_rows(changes, PROMOTION_CHANGES.name, DAYS[number], lake)


def webhook(url: str, patience: float = 0.3) -> Webhook:
    return Webhook(url, SECRET, patience, 0.01)


def send(lake: FolderLake, url: str, patience: float = 0.3) -> dict[dt.date, int]:
    with webhook(url, patience) as hook:
        return send_changes(lake, hook, GAME)


def changes_in(messages: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str, str]]:
    """Day, user and change of each change in messages, in their order."""
    return [
        (message["data"]["as_of"][-2:], change["user_id"], change["change"])
        for _, message in messages
        for change in message["data"]["changes"]
    ]


def test_a_receiver_hears_of_all_offers_first_and_then_of_changes_alone(lake: FolderLake) -> None:
    store_day(lake, 0, "", "ab")
    store_day(lake, 1, "ab", "bc")
    with receiving() as receiver:
        assert send(lake, receiver.url) == {DAYS[1]: 1}
        assert changes_in(receiver.accepted) == [
            ("02", "a", "left"),
            ("02", "b", "entered"),
            ("02", "c", "entered"),
        ]
        store_day(lake, 2, "bc", "cd")
        assert send(lake, receiver.url) == {DAYS[2]: 1}
        assert changes_in(receiver.accepted[1:]) == [("03", "b", "left"), ("03", "d", "entered")]


def test_what_was_acknowledged_is_never_sent_again(lake: FolderLake) -> None:
    store_day(lake, 0, "", "ab")
    with receiving() as receiver:
        assert send(lake, receiver.url) == {DAYS[0]: 1}
        for _ in range(3):
            assert send(lake, receiver.url) == {}
        store_day(lake, 1, "ab", "ab")  # without a change there is no message
        assert send(lake, receiver.url) == {}
    assert len(receiver.attempts) == 1


def test_days_that_could_not_be_sent_come_first_and_in_order(
    lake: FolderLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion_messages, "CHANGES_PER_MESSAGE", 1)
    store_day(lake, 0, "", "abc")
    is_down = False

    def reply(attempt: int) -> Reply:
        return (503, {}) if is_down or attempt == 1 else ACKNOWLEDGED

    with receiving(reply) as receiver:
        is_down = True
        with pytest.raises(WebhookUnavailable):
            send(lake, receiver.url)
        store_day(lake, 1, "abc", "abcd")
        store_day(lake, 2, "abcd", "")
        is_down = False
        monkeypatch.setattr(promotion_messages, "CHANGES_PER_MESSAGE", 100)
        assert send(lake, receiver.url, patience=5) == {DAYS[0]: 3, DAYS[1]: 1, DAYS[2]: 1}
    assert changes_in(receiver.accepted) == [
        *(("01", user, "entered") for user in "abc"),
        ("02", "d", "entered"),
        *(("03", user, "left") for user in "abcd"),
    ]


def test_a_refused_message_stops_those_after_it_and_is_the_next_one(lake: FolderLake) -> None:
    store_day(lake, 0, "", "a")
    replies: list[Reply] = [(400, {}), ACKNOWLEDGED, ACKNOWLEDGED]
    with receiving(lambda attempt: replies[attempt]) as receiver:
        with pytest.raises(WebhookRefused):
            send(lake, receiver.url)
        store_day(lake, 1, "a", "")
        assert send(lake, receiver.url) == {DAYS[0]: 1, DAYS[1]: 1}
    assert len(receiver.attempts) == 3
    assert receiver.attempts[0] == receiver.attempts[1]


def test_another_address_is_another_receiver(lake: FolderLake) -> None:
    store_day(lake, 0, "", "a")
    with receiving() as first, receiving() as second:
        for receiver in (first, second, first):
            send(lake, receiver.url)
    assert first.ids() == second.ids()
    assert len(first.attempts) == 1


def test_a_receiver_that_was_away_for_longer_than_days_are_kept_hears_of_all_again(
    lake: FolderLake,
) -> None:
    store_day(lake, 0, "", "ab")
    with receiving() as receiver:
        send(lake, receiver.url)
        store_day(lake, 3, "ab", "ab")
        lake.write(FIRST_KEPT_DAYS, json.dumps({"tables": str(DAYS[2])}).encode())
        assert send(lake, receiver.url) == {DAYS[3]: 1}
        assert send(lake, receiver.url) == {}
    assert changes_in(receiver.accepted[1:]) == [("04", "a", "entered"), ("04", "b", "entered")]


def test_a_damaged_position_is_named_and_nothing_is_sent(lake: FolderLake) -> None:
    store_day(lake, 0, "", "a")
    with receiving() as receiver:
        with webhook(receiver.url) as hook:
            name = f"{FOLDER}/{hook.receiver}.json"
        lake.write(name, b"{")
        with pytest.raises(DamagedDocumentError, match=name):
            send(lake, receiver.url)
    assert receiver.attempts == []


MESSAGES = 100


def store_many(lake: FolderLake) -> list[str]:
    """Store a day whose messages take a while. Returns the ids of the messages."""
    users = [f"u{number:05d}" for number in range(MESSAGES * CHANGES_PER_MESSAGE)]
    store_day(lake, 0, [], users)
    changes = read_rows(PROMOTION_CHANGES, DAYS[0], lake)
    return [
        build_message(changes, number + 1, CHANGES_PER_MESSAGE, DAYS[0], GAME).id
        for number in range(MESSAGES)
    ]


def send_in_process(pipe: "Connection[Any, Any]", folder: Path, url: str) -> None:
    pipe.send("started")
    send(FolderLake(folder), url, patience=60)
    pipe.send("sent")


def check_ids(received: list[str], expected: list[str], interruptions: int) -> None:
    """Check that every message came, in order, and few of them more than once."""
    assert list(dict.fromkeys(received)) == expected
    assert len(received) - len(expected) <= interruptions


@pytest.mark.slow
def test_a_sender_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    folder, chance = tmp_path / "lake", random.Random(7)
    expected = store_many(FolderLake(folder))

    def reply(_: int) -> Reply:
        time.sleep(0.01)
        return ACKNOWLEDGED

    with receiving(reply) as receiver:
        for _ in range(KILLS):
            with running(send_in_process, folder, receiver.url) as (_, pipe):
                assert pipe.recv() == "started"
                assert not pipe.poll(chance.uniform(0, 0.05)), "it was done before it was killed"
        send(FolderLake(folder), receiver.url, patience=60)
    check_ids(receiver.ids(), expected, KILLS)


@contextmanager
def killing(port: int, file: Path) -> Iterator[list[float]]:
    """Run a receiver whose process is killed so many times at random, and started again."""
    chance, kills, is_over = random.Random(7), list[float](), threading.Event()

    def run() -> None:
        while not is_over.is_set():
            with running(serve_process, port, file) as (_, pipe):
                assert pipe.recv() == "listening"
                if len(kills) == KILLS:
                    is_over.wait()
                else:
                    kills.append(chance.uniform(0, 0.1))
                    time.sleep(kills[-1])

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield kills
    finally:
        is_over.set()
        thread.join()


@pytest.mark.slow
def test_a_receiver_that_is_killed_again_and_again_gets_every_message(tmp_path: Path) -> None:
    lake, file, port = FolderLake(tmp_path / "lake"), tmp_path / "received", free_port()
    expected = store_many(lake)
    with killing(port, file) as kills:
        send(lake, f"http://127.0.0.1:{port}/", patience=60)
    assert len(kills) == KILLS
    check_ids(file.read_text().split(), expected, KILLS)
