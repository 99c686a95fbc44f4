"""The prediction cache: the newest value of each user, and a miss rather than a wrong one."""

import asyncio
import datetime as dt
import json
import math
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.group_defaults import compute_group_defaults
from ds_assets.core.prediction_json import OPTIONAL, encode_record
from ds_assets.errors import InputError
from ds_assets.infra.cache import prediction_cache as cache_module
from ds_assets.infra.cache.connection import CacheUnavailable
from ds_assets.infra.cache.format import FIRST_DELIVERY, CachedDays
from ds_assets.infra.cache.prediction_cache import CachePut, PredictionCache
from ds_assets_tests.infra.cache.redis_servers import PASSWORD, can_write, redis_cluster, until
from ds_assets_tests.infra.cache.timeouts import set_timeouts
from ds_assets_tests.infra.factories import (
    DAYS,
    NO_DELIVERIES,
    decode_prediction,
    embedded_server,
    fetch,
    fetch_values,
    fresh,
    get_rows,
    numbered_rows,
    put,
    put_day,
    row,
    row_in,
    server_process,
    table,
    table_with_targets,
    target,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder of one embedded server for all tests that do not hurt it."""
    with embedded_server(tmp_path_factory.mktemp("cache")) as folder:
        yield folder


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        yield f"redis+cluster://:{PASSWORD}@{hosts}"


@pytest.fixture(
    scope="module",
    params=[
        "folder",
        pytest.param("redis_url", marks=pytest.mark.server),
        pytest.param("cluster", marks=pytest.mark.server),
    ],
)
def location(request: pytest.FixtureRequest) -> str | Path:
    """Where a cache of each kind is."""
    location = request.getfixturevalue(request.param)
    assert isinstance(location, str | Path)
    return location


@pytest.fixture
def cache(location: str | Path) -> Iterator[PredictionCache]:
    with fresh(location) as cache:
        yield cache


def client_of(cache: PredictionCache) -> Any:
    return cache._client


def test_values_come_back_in_the_order_asked_for(cache: PredictionCache) -> None:
    rows = {
        "a": row("a", churn_probability=1 / 3, cluster=-1, cluster_name="naïve 🎮"),
        "ü": row("ü", churn_probability=None, cluster=None, cluster_name=None, churn_model=""),
    }
    assert put(cache, DAYS[0], table(*rows.values())) == CachePut(written=2, kept_newer=0)
    ids = ["ü", "nobody", "a", "ü", "A"]
    assert get_rows(cache, ids) == [rows["ü"], None, rows["a"], rows["ü"], None]
    assert get_rows(cache, []) == []


def test_what_is_not_a_number_is_a_missing_value(cache: PredictionCache) -> None:
    put(cache, DAYS[0], table(row("a", churn_probability=math.nan)))
    assert get_rows(cache, ["a"]) == [row("a", churn_probability=None)]


def test_a_day_larger_than_a_batch_is_put_whole(cache: PredictionCache) -> None:
    rows = numbered_rows(2_500)
    assert put(cache, DAYS[0], table(*rows)) == CachePut(2_500, 0)
    assert get_rows(cache, [row["user_id"] for row in rows]) == rows


def test_a_day_may_come_in_batches_that_are_checked_each(cache: PredictionCache) -> None:
    rows = numbered_rows(50)
    batches = table(*rows).to_batches(20)
    assert cache.put_batches(DAYS[0], batches, FIRST_DELIVERY) == CachePut(50, 0)
    assert get_rows(cache, [row["user_id"] for row in rows]) == rows
    with pytest.raises(ValueError, match="hold rows of 2026-03-01"):
        cache.put_batches(DAYS[1], batches, FIRST_DELIVERY)
    assert cache.put_batches(DAYS[1], [], FIRST_DELIVERY) == CachePut(0, 0)


def test_targets_of_a_games_own_are_kept_with_the_prediction(cache: PredictionCache) -> None:
    rows = [row("a", targets=[target("level")]), row("b", targets=[])]
    cache.put_batches(DAYS[0], table_with_targets(*rows).to_batches(), FIRST_DELIVERY)
    cache.put_records([row("c", targets=rows[0]["targets"]), row("d")], NO_DELIVERIES)
    _, values = fetch_values(cache, "abcd")
    expected = [*rows, row("c", targets=rows[0]["targets"]), row("d")]
    records = [value and json.loads(b"{" + value.members) for value in values]
    assert records == [
        json.loads(b"{" + encode_record(row_of_table).members) for row_of_table in expected
    ]
    assert ["targets" in record for record in records if record] == [True, False, True, False]


@pytest.mark.slow
def test_a_reader_never_sees_fields_of_two_days_nor_an_older_day_again(
    cache: PredictionCache,
) -> None:
    users = [f"u{n}" for n in range(1_500)]

    def put_users(day: dt.date) -> CachePut:
        texts = dict.fromkeys(("cluster_name", "churn_model", "payment_model"), str(day))
        rows = [row(user, day, cluster=day.day, **texts) for user in users]
        return put(cache, day, table(*rows))

    last = dict.fromkeys(users, dt.date.min)
    put_users(DAYS[0])
    with ThreadPoolExecutor(2) as writers:
        puts = [
            writers.submit(put_users, day) for _ in range(3) for day in (DAYS[1], DAYS[0], DAYS[2])
        ]
        while not all(future.done() for future in puts):
            for stored_row in get_rows(cache, users[::7]):
                assert stored_row
                day = stored_row["as_of"]
                assert {stored_row["cluster_name"], stored_row["churn_model"]} == {str(day)}
                assert (stored_row["payment_model"], stored_row["cluster"]) == (str(day), day.day)
                assert day >= last[stored_row["user_id"]]
                last[stored_row["user_id"]] = day
    assert sum(future.result().kept_newer for future in puts) > 0
    assert {stored_row and stored_row["as_of"] for stored_row in get_rows(cache, users)} == {
        DAYS[2]
    }


def test_a_newer_or_equal_day_replaces_and_an_older_one_does_not(cache: PredictionCache) -> None:
    put(cache, DAYS[1], table(row("a", DAYS[1], cluster=1), row("b", DAYS[1], cluster=1)))
    assert put(cache, DAYS[1], table(row("a", DAYS[1], cluster=2))) == CachePut(1, 0)
    assert put(cache, DAYS[0], table(row("b"), row("c"))) == CachePut(written=1, kept_newer=1)
    assert put(cache, DAYS[2], table(row("c", DAYS[2], cluster=3))) == CachePut(1, 0)
    assert get_rows(cache, ["a", "b", "c"]) == [
        row("a", DAYS[1], cluster=2),
        row("b", DAYS[1], cluster=1),
        row("c", DAYS[2], cluster=3),
    ]


@pytest.mark.slow
@given(order=st.permutations(DAYS), again=st.lists(st.sampled_from(DAYS), max_size=3))
def test_days_put_in_any_order_end_with_the_newest_of_each_user(
    location: str | Path, order: list[dt.date], again: list[dt.date]
) -> None:
    users = {f"until {last.day}": last for last in DAYS}
    with fresh(location) as cache:
        for as_of in [*order, *again]:
            put(cache, as_of, table(*(row(it, as_of) for it in users if as_of <= users[it])))
        assert get_rows(cache, list(users)) == [row(it, last) for it, last in users.items()]


def test_records_of_several_days_can_be_put_at_once(cache: PredictionCache) -> None:
    put(cache, DAYS[1], table(row("b", DAYS[1])))
    records = [row("a", DAYS[2]), row("b", DAYS[0])]
    assert cache.put_records(records, NO_DELIVERIES) == CachePut(written=1, kept_newer=1)
    assert get_rows(cache, ["a", "b"]) == [row("a", DAYS[2]), row("b", DAYS[1])]


def test_rows_of_another_day_are_refused(cache: PredictionCache) -> None:
    with pytest.raises(ValueError, match="hold rows of 2026-03-01"):
        put(cache, DAYS[1], table(row("a")))


def test_a_text_may_be_long_and_hold_whatever_json_escapes(cache: PredictionCache) -> None:
    long = row("a", cluster_name='"\\\n\0\u2028}' + "x" * 70_000)
    put(cache, DAYS[0], table(long))
    assert get_rows(cache, ["a"]) == [long]


def test_values_expire_near_their_time_and_not_all_at_once(cache: PredictionCache) -> None:
    users = [f"u{n}" for n in range(100)]
    put(cache, DAYS[0], table(*map(row, users)))
    left = [int(client_of(cache).ttl(cache._key(user.encode()))) for user in users]
    assert 0.9 * 7 * 86_400 - 10 < min(left) <= max(left) <= 7 * 86_400
    assert len(set(left)) > 90


def test_an_expired_value_is_a_miss_and_makes_room_for_an_older_day(cache: PredictionCache) -> None:
    put(cache, DAYS[1], table(row("a", DAYS[1])))
    client_of(cache).pexpire(cache._key(b"a"), 1)
    time.sleep(0.01)
    assert get_rows(cache, ["a"]) == [None]
    assert put(cache, DAYS[0], table(row("a"))) == CachePut(1, 0)


@pytest.mark.slow
def test_a_write_that_is_tried_expires_in_a_second(cache: PredictionCache) -> None:
    cache.try_write()
    key = cache._days_key + b":write_test"
    assert 0 <= client_of(cache).ttl(key) <= 1


@pytest.mark.slow
def test_a_damaged_value_is_a_miss(cache: PredictionCache) -> None:
    put(cache, DAYS[0], table(row("a"), row("b")))
    key = cache._key(b"a")
    value: Any = client_of(cache).get(key)
    damaged = [
        value[:place] + bytes([value[place] ^ 4]) + value[place + 1 :]
        for place in range(len(value))
    ]
    cut = [value[:length] for length in range(len(value))]
    for broken in [*damaged, *cut, value + b"x", client_of(cache).get(cache._key(b"b"))]:
        client_of(cache).set(key, broken)
        assert get_rows(cache, ["a"]) == [None]


@pytest.mark.parametrize("rubbish", [b"", b"r", b"rubbish " * 20, ["a", "list"]])
def test_what_is_no_value_of_ours_is_a_miss_and_is_replaced(
    cache: PredictionCache, rubbish: bytes | list[str]
) -> None:
    key = cache._key(b"a")
    if isinstance(rubbish, bytes):
        client_of(cache).set(key, rubbish)
    else:
        client_of(cache).rpush(key, *rubbish)
    assert get_rows(cache, ["a"]) == [None]
    assert put(cache, DAYS[0], table(row("a"))) == CachePut(1, 0)
    assert get_rows(cache, ["a"]) == [row("a")]


def test_an_event_loop_gets_the_day_and_the_values_in_one_request(cache: PredictionCache) -> None:
    assert fetch(cache, ["a"]) == (CachedDays(), [None])
    rows = [row("a"), row("ü", cluster_name="naïve 🎮")]
    put_day(cache, DAYS[0], *rows)
    days, cached_rows = fetch(cache, ["ü", "nobody", "a"])
    assert cached_rows == [rows[1], None, rows[0]]
    assert days.newest.as_of == DAYS[0].toordinal()
    assert {
        group: decode_prediction(members)["churn_probability"]
        for group, members in days.newest.members.items()
    } == {
        "": 0.25,
        "some": 0.25,
    }
    assert fetch(cache, []) == (days, [])


def test_an_older_day_does_not_stand_in_front_of_a_newer_one(cache: PredictionCache) -> None:
    for day in (DAYS[1], DAYS[0]):
        put_day(cache, day, row("a", day))
    days, _ = fetch(cache, [])
    assert days.newest.as_of == DAYS[1].toordinal()


def test_a_damaged_day_is_none(cache: PredictionCache) -> None:
    put_day(cache, DAYS[0], row("a"))
    value: Any = client_of(cache).get(cache._days_key)
    for broken in (value[:-1], value[:12], b"rubbish", b""):
        client_of(cache).set(cache._days_key, broken)
        assert fetch(cache, []) == (CachedDays(), [])


def test_a_question_that_was_given_up_leaves_no_answer_to_the_next(
    cache: PredictionCache,
) -> None:
    users = [f"u{n}" for n in range(1_000)]
    put(cache, DAYS[0], table(*numbered_rows(len(users))))

    async def hurry() -> list[Any]:
        answers: list[Any] = []
        for user in users[:50]:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.0005):
                    await cache.fetch(users)
            answers += (await cache.fetch([user]))[1]
        await cache.close_loop()
        return answers

    values = asyncio.run(hurry())
    rows = [row_in(user, value) for user, value in zip(users, values, strict=False)]
    assert [row["cluster"] for row in rows] == list(range(50))


def test_many_on_an_event_loop_get_each_their_own(cache: PredictionCache) -> None:
    users = [f"u{n}" for n in range(100)]
    put(cache, DAYS[0], table(*numbered_rows(len(users))))

    async def ask() -> list[Any]:
        replies = await asyncio.gather(*(cache.fetch([user]) for user in users))
        await cache.close_loop()
        return [value for _, (value,) in replies]

    values = asyncio.run(ask())
    rows = [row_in(user, value) for user, value in zip(users, values, strict=True)]
    assert [row["cluster"] for row in rows] == list(range(100))


def test_games_that_share_a_server_do_not_see_each_other(location: str | Path) -> None:
    with fresh(location) as first, fresh(location) as other:
        put(first, DAYS[0], table(row("a")))
        assert get_rows(other, ["a"]) == [None]


def test_values_of_another_format_are_not_seen(
    location: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PredictionCache(location, "game", 1) as before:
        put(before, DAYS[0], table(row("a")))
        monkeypatch.setattr(cache_module, "FORMAT", "0000another")
        with PredictionCache(location, "game", 1) as after:
            assert get_rows(after, ["a"]) == [None]
            assert get_rows(before, ["a"]) == [row("a")]


@pytest.mark.parametrize(("reasons", "max_bytes"), [(False, 350), (True, 600)])
def test_a_user_of_a_game_that_the_dictionary_lacks_is_small(
    cache: PredictionCache, reasons: bool, max_bytes: int
) -> None:
    typical = row(
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        churn_probability=0.15193402767181396,
        payment_probability=0.0204465389251709,
        expected_spend=0.09254152468663106,
        cluster_name="raiders at night, no clan",
        user_group="country=KR",
        churn_reasons=_reasons("raid_wins", "pet_food", "clan_chat") if reasons else None,
        payment_reasons=_reasons("dungeon_keys", "raid_wins", "skins") if reasons else None,
        churn_missing=None,
        payment_missing=None,
        churn_model="c5d402f8b7ae",
        payment_model="41224c1bed41",
        cluster_model="98038dba0b90",
    ) | dict.fromkeys(OPTIONAL)
    put(cache, DAYS[0], table(typical))
    size = client_of(cache).memory_usage(cache._key(typical["user_id"].encode()))
    assert int(size or 0) <= max_bytes


def _reasons(*events: str) -> str:
    """Reasons as JSON, as long as real ones."""
    reasons = [
        {
            "code": f"count_{event}",
            "effect": -0.17,
            "values": [len(event), 2],
            "words": f"{len(event)} {event} events in the last 28 days, 2 in the last 7",
        }
        for event in events
    ]
    return json.dumps(reasons, separators=(",", ":"))


def test_a_server_that_is_not_there_is_named_with_its_setting_and_no_credential() -> None:
    cache = PredictionCache("redis://someone:s3cret@127.0.0.1:1/0", "game", 7)
    for question in (
        cache.ping,
        lambda: get_rows(cache, ["a"]),
        lambda: fetch(cache, ["a"]),
        lambda: cache.put_records([row("a")], NO_DELIVERIES),
    ):
        with pytest.raises(CacheUnavailable) as caught:
            question()
        assert "redis://127.0.0.1:1/0 (DS_ASSETS_CACHE_URL)" in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert "someone" not in str(caught.value)
    cache.close()


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_given_up_in_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh(folder) as patient:
        process = server_process(patient)
    set_timeouts(monkeypatch, 0.2)
    with fresh(folder) as early, fresh(folder) as late:
        until(lambda: can_write(early))
        os.kill(process, signal.SIGSTOP)
        try:
            for hasty in (early, late):
                with pytest.raises(CacheUnavailable, match="Timeout"):
                    hasty.put_records([row("a")], NO_DELIVERIES)
                with pytest.raises(CacheUnavailable, match="Timeout"):
                    fetch(hasty, ["a"])
        finally:
            os.kill(process, signal.SIGCONT)
        for hasty in (early, late):
            until(partial(can_write, hasty))
            assert get_rows(hasty, ["somebody", "nobody"]) == [row("somebody"), None]


def test_a_url_of_a_socket_is_served_like_any_other(folder: Path) -> None:
    with PredictionCache(f"unix://{folder / 'valkey.sock'}", "by url", 7) as cache:
        assert put(cache, DAYS[0], table(row("a"))) == CachePut(1, 0)
        assert get_rows(cache, ["a"]) == [row("a")]


def test_another_lake_with_the_same_name_is_refused_until_it_takes_over(
    cache: PredictionCache,
) -> None:
    cache.claim("one lake")
    cache.claim("one lake")
    with pytest.raises(InputError, match="with another lake: set DS_ASSETS_INSTALLATION"):
        cache.claim("other lake")
    cache.claim("other lake", is_taking_over=True)
    with pytest.raises(InputError, match="`ds-assets claim`"):
        cache.claim("one lake")


AGAIN = FIRST_DELIVERY + 1


def test_a_user_whom_a_later_delivery_of_the_day_lacks_is_a_miss(cache: PredictionCache) -> None:
    put_day(cache, DAYS[0], row("stays"), row("withdrawn"))
    put(cache, DAYS[0], table(row("stays", cluster=9)), AGAIN)
    assert get_rows(cache, ["stays", "withdrawn"]) == [None, row("withdrawn")]
    put_day(cache, DAYS[0], row("stays", cluster=9), delivery=AGAIN)
    assert get_rows(cache, ["stays", "withdrawn"]) == [row("stays", cluster=9), None]


def test_a_user_whom_a_later_delivery_of_an_older_day_lacks_is_a_miss(
    cache: PredictionCache,
) -> None:
    put_day(cache, DAYS[0], row("away"), row("withdrawn"))
    put_day(cache, DAYS[1], row("stays", DAYS[1]))
    put_day(cache, DAYS[0], row("away"), delivery=AGAIN)
    days, rows = fetch(cache, ["away", "withdrawn", "stays"])
    assert days.newest.as_of == DAYS[1].toordinal()
    assert rows == [row("away"), None, row("stays", DAYS[1])]


def test_the_same_predictions_delivered_again_are_never_a_miss(cache: PredictionCache) -> None:
    put_day(cache, DAYS[0], row("a"), row("b"))
    put(cache, DAYS[0], table(row("a")))
    assert get_rows(cache, ["a", "b"]) == [row("a"), row("b")]


def test_users_of_a_day_that_is_being_written_are_found_before_it_is_complete(
    cache: PredictionCache,
) -> None:
    put_day(cache, DAYS[0], row("a"), row("b"))
    put(cache, DAYS[1], table(row("a", DAYS[1])), AGAIN)
    assert get_rows(cache, ["a", "b"]) == [row("a", DAYS[1]), row("b")]


def test_a_withdrawn_day_is_a_miss_for_all_users_at_once(cache: PredictionCache) -> None:
    put_day(cache, DAYS[0], row("away"), row("stays"))
    put_day(cache, DAYS[1], row("stays", DAYS[1]), row("new", DAYS[1]))
    cache.withdraw([DAYS[1]])
    days, rows = fetch(cache, ["away", "stays", "new"])
    assert days.newest.as_of == DAYS[0].toordinal()
    assert rows == [row("away"), None, None]
    assert cache.current_day() == DAYS[0]


def test_predictions_of_an_older_day_replace_those_of_a_withdrawn_one(
    cache: PredictionCache,
) -> None:
    for day in DAYS[:2]:
        put_day(cache, day, *(row(user, day) for user in "abc"))
    deliveries = fetch(cache, [])[0].deliveries
    cache.withdraw([DAYS[1]])
    assert cache.put_records([row("a")], deliveries) == CachePut(0, 1)  # read before that
    assert cache.put_records([row("a")], fetch(cache, [])[0].deliveries) == CachePut(1, 0)
    assert get_rows(cache, ["a", "b"]) == [row("a"), None]
    put_day(cache, DAYS[0], *map(row, "abc"))
    assert get_rows(cache, ["a", "b"]) == [row("a"), row("b")]
    assert fetch(cache, [])[0].newest.members


def test_a_record_that_was_read_before_its_day_was_withdrawn_is_a_miss(
    cache: PredictionCache,
) -> None:
    put_day(cache, DAYS[0], row("a"))
    deliveries = fetch(cache, [])[0].deliveries
    cache.withdraw([DAYS[0]])
    cache.put_records([row("b")], deliveries)
    assert get_rows(cache, ["b"]) == [None]


def test_a_withdrawn_day_counts_again_when_it_is_delivered_again(cache: PredictionCache) -> None:
    put_day(cache, DAYS[0], row("a"))
    cache.withdraw([DAYS[0]])
    put_day(cache, DAYS[0], row("a"))
    days, rows = fetch(cache, ["a"])
    assert (days.newest.as_of, rows) == (DAYS[0].toordinal(), [row("a")])


def test_days_that_are_written_at_the_same_time_are_all_known(cache: PredictionCache) -> None:
    nothing = compute_group_defaults([])
    with ThreadPoolExecutor(len(DAYS)) as executor:
        for _ in executor.map(lambda day: cache.put_day(day, nothing, AGAIN), DAYS):
            pass
    assert fetch(cache, [])[0].deliveries == {day.toordinal(): AGAIN for day in DAYS}
