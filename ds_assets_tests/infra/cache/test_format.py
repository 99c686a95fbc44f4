"""The format of values in the cache: bound to their user, and read only in the present version."""

import hashlib
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from isal.isal_zlib import crc32

from ds_assets.core.group_defaults import compute_group_defaults, encode_group_defaults
from ds_assets.core.prediction_json import COLUMNS, encode_rows
from ds_assets.infra.cache.format import (
    FIRST_DELIVERY,
    CachedDays,
    days_decoded,
    days_encoded,
    decoded,
    encoded,
)
from ds_assets_tests.infra.factories import DAYS, offer, row, table, table_with_offers

KEY_CHECK = 123_456_789


def rows_of(**values: Any) -> Any:
    return table(row("a", DAYS[1], **values)).to_batches()[0]


@given(probability=st.none() | st.floats(), last_seen=st.none() | st.sampled_from(DAYS))
def test_a_value_is_read_back_as_it_was_encoded(probability: float | None, last_seen: Any) -> None:
    rows = rows_of(churn_probability=probability, payment_probability=None, last_seen=last_seen)
    (value,) = encoded([KEY_CHECK], rows, {})
    assert decoded(KEY_CHECK, value) == encode_rows(rows)[0]


def test_a_value_says_whether_it_has_offers_and_is_no_larger_without() -> None:
    rows = [row("a", promotions=[offer()]), row("a", promotions=[])]
    with_offers, without = encoded([KEY_CHECK] * 2, table_with_offers(*rows).to_batches()[0], {})
    assert [decoded(KEY_CHECK, it) for it in (with_offers, without)] == [
        encode_rows(table_with_offers(it).to_batches()[0])[0] for it in rows
    ]
    assert [without] == encoded([KEY_CHECK], table(row("a")).to_batches()[0], {})


def test_a_value_of_another_key_is_a_miss() -> None:
    (value,) = encoded([KEY_CHECK], rows_of(), {})
    assert decoded(KEY_CHECK + 1, value) is None


def test_a_value_of_the_first_version_is_a_miss() -> None:
    (prediction,) = encode_rows(rows_of())
    columns = (f"{column.name} {column.type}" for column in COLUMNS)
    mark = hashlib.sha256("\n".join([">2sI", ">I", *columns]).encode()).digest()[:2]
    body = struct.pack(">I", prediction.as_of) + prediction.members
    stored_then = struct.pack(">2sI", mark, crc32(body, KEY_CHECK)) + body
    assert decoded(KEY_CHECK, stored_then) is None


def test_the_newest_day_is_read_back_with_its_defaults_and_models() -> None:
    defaults = compute_group_defaults([table(row("a", user_group="country=KR", churn_model=None))])
    days = CachedDays(
        encode_group_defaults(DAYS[0], defaults), {DAYS[0].toordinal(): FIRST_DELIVERY}
    )
    assert days_decoded(KEY_CHECK, days_encoded(KEY_CHECK, days)) == days
    assert set(days.newest.members) == {"", "country=KR"}
    assert days.newest.models == {"payment": "some", "cluster": "some"}


def test_what_every_request_reads_of_the_day_is_small_however_many_groups_there_are() -> None:
    rows = [row(f"u{n}", user_group=f"country=c{n}") for n in range(5_000)]
    defaults = encode_group_defaults(DAYS[0], compute_group_defaults([table(*rows)]))
    deliveries = dict.fromkeys(range(14), 2**32 - 1)
    value = days_encoded(KEY_CHECK, CachedDays(defaults, deliveries))
    assert len(value) < 16_384


def test_a_day_without_defaults_is_a_day() -> None:
    nothing = encode_group_defaults(DAYS[0], compute_group_defaults([]))
    stored = days_decoded(KEY_CHECK, days_encoded(KEY_CHECK, CachedDays(nothing))).newest
    assert (stored.as_of, stored.members, stored.models) == (DAYS[0].toordinal(), {}, {})
