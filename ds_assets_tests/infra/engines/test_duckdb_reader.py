import base64
import datetime as dt
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pyarrow import parquet
from pyarrow.parquet import encryption

from ds_assets.core.events import MAX_NUMBER
from ds_assets.core.raw_text import UNREADABLE
from ds_assets.core.user_ids import normalize_user_id
from ds_assets.game import Attribute, Csv, Fields, Game, Logs
from ds_assets.infra.engines.duckdb_reader import create_lines
from ds_assets.infra.engines.raw_files import RawFile, number_files
from ds_assets.time_formats import TICKS_PER_SECOND
from ds_assets_tests.core.compression import COMPRESSIONS
from ds_assets_tests.core.test_zip_archives import make_zip

DAY = dt.date(2026, 3, 10)
NO_TEXT = "not text: bad UTF-8 or longer than 1 MiB"
TOO_EARLY = "dated before 2000-01-01, the earliest possible date of this game"
FLOAT_ID = "the user id is a float that is not a whole number of up to 15 digits"
KEY_OF_E1 = 16590455854855486
"""If it changes with DuckDB, so does the probe, and stored ids of days before are not compared."""
UTC_MOMENT = dt.datetime(2026, 3, 10, 12, 0)  # noqa: DTZ001  (on the game's clock)
NUMBERING = {"dt", "file", "line", "reason", "user_id_changed"}
CONNECTION = duckdb.connect(config={"threads": 2})
BAD_CONTENT = "SELECT content FROM raw_lines WHERE reason <> ''"

Row = tuple[Any, ...]
Files = dict[str, bytes]


@dataclass(frozen=True)
class Read:
    """The result of reading some files."""

    events: list[dict[str, Any]]
    bad: list[Row]

    @property
    def valid(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["reason"] is None]

    @property
    def reasons(self) -> list[str]:
        return [reason for _, _, reason in self.bad]


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    CONNECTION.close()


def make_game(**changes: Any) -> Game:
    fields = {"user_id": "user.id", "event_time": "at", "event_type": "type"}
    return Game(
        **{
            "name": "Test game",
            "first_day": DAY,
            "fields": Fields(**fields, event_id="id", amount="amount"),
            "properties": {"minutes": "minutes"},
            "attributes": {
                "country": Attribute(field="user.country"),
                "level": Attribute(field="user.level", type="number"),
            },
            **changes,
        }
    )


def read(files: Files, game: Game, folder: Path, day: dt.date = DAY) -> Read:
    raw = []
    for number, (name, content) in enumerate(files.items()):
        path = folder / f"raw {number}"
        path.write_bytes(content)
        raw.append(RawFile(day, name, path))
    parts = number_files(raw)
    damaged = create_lines(CONNECTION, parts, game, "raw_lines")
    rows = CONNECTION.execute("SELECT * EXCLUDE (content) FROM raw_lines ORDER BY file, line")
    names = [column[0] for column in rows.description or ()]
    events = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    bad = [(parts[e["file"]].name, e["line"], e["reason"]) for e in events if e["reason"]]
    return Read(events, bad + [(parts[d.file].name, None, d.reason) for d in damaged])


def a_line(**changes: Any) -> bytes:
    user = {"id": "u1", "country": "KR", "level": 3, **changes.pop("user", {})}
    line = {"user": user, "at": "2026-03-10T12:00:00Z", "type": "battle", **changes}
    return json.dumps({key: value for key, value in line.items() if value != "left out"}).encode()


def reason_of(line: bytes, folder: Path, **changes: Any) -> str | None:
    parsed = read({"a": line}, make_game(**changes), folder)
    assert len(parsed.events) == 1
    assert parsed.reasons == [parsed.events[0]["reason"]] * len(parsed.bad)
    reason = parsed.events[0]["reason"]
    return None if reason is None else str(reason)


# --- JSON lines -----------------------------------------------------------------------------------


def test_a_line_becomes_an_event_with_its_typed_facts(tmp_path: Path) -> None:
    line = a_line(id="e1", amount="4.99", minutes=7)
    assert read({"a": line}, make_game(), tmp_path).events == [
        {
            "dt": DAY,
            "file": 0,
            "line": 1,
            "reason": None,
            "user_id": "u1",
            "user_id_changed": False,
            "event_time": UTC_MOMENT,
            "event_date": DAY,
            "event_type": "battle",
            "event_key": KEY_OF_E1,
            "amount": 4.99,
            "property_minutes": 7.0,
            "attribute_country": "KR",
            "attribute_level": 3.0,
        }
    ]


def keys_of(ids: list[object], folder: Path, **changes: Any) -> list[int | None]:
    lines = [a_line(id=event_id, user={"id": user}) for event_id in ids for user in ("u1", "u2")]
    logs = Logs.model_validate(changes)
    events = read({"a": b"\n".join(lines)}, make_game(logs=logs), folder).valid
    return [event["event_key"] for event in events]


@pytest.mark.parametrize(("scope", "keys"), [("user", 4), ("game", 2)])
def test_an_id_is_one_of_its_user_or_of_the_whole_game(
    scope: str, keys: int, tmp_path: Path
) -> None:
    written: list[object] = ["1", 1, "2"]
    assert len(set(keys_of(written, tmp_path, event_id_scope=scope))) == keys


@pytest.mark.parametrize(
    "event_id",
    [
        None,
        "",
        0,
        "0",
        0.0,
        "null",
        "NULL",
        "None",
        "undefined",
        "NaN",
        "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    ],
)
def test_what_stands_for_no_event_id_is_none(event_id: object, tmp_path: Path) -> None:
    assert keys_of([event_id], tmp_path) == [None, None]


def test_facts_that_a_line_lacks_are_none(tmp_path: Path) -> None:
    (event,) = read(
        {"a": a_line(user={"level": None, "country": None})}, make_game(), tmp_path
    ).valid
    facts = ("event_key", "amount", "property_minutes", "attribute_country", "attribute_level")
    assert [event[name] for name in facts] == [None] * 5


def test_a_number_is_a_user_id(tmp_path: Path) -> None:
    (event,) = read({"a": a_line(user={"id": 12345678901234567890})}, make_game(), tmp_path).valid
    assert event["user_id"] == "12345678901234567890"


@pytest.mark.parametrize(
    "user",
    [
        "true",
        "{curly",
        "[guild] me",
        "two words",
        "'; DROP TABLE x --",
        "쿠키",
        "x" * 191,
        "é" * 191,
    ],
)
def test_any_text_is_a_user_id(user: str, tmp_path: Path) -> None:
    (event,) = read({"a": a_line(user={"id": user})}, make_game(), tmp_path).valid
    assert event["user_id"] == user


@pytest.mark.parametrize(
    "written", ["123", "123.0", "1.23e2", "12.3E1", '"123"', '"123.0"', '"1.23E+2"']
)
def test_a_whole_number_is_one_user_however_it_is_written(written: str, tmp_path: Path) -> None:
    line = a_line(user={"id": "here"}).replace(b'"here"', written.encode())
    (event,) = read({"a": line}, make_game(), tmp_path).valid
    assert event["user_id"] == "123"
    assert event["user_id_changed"] == (written not in {"123", '"123"'})


@pytest.mark.parametrize("user", ["0123", "0123.0", "1e2", "1234567890123456", "123.5", "1.0.0"])
def test_a_text_that_resembles_a_number_is_kept(user: str, tmp_path: Path) -> None:
    (event,) = read({"a": a_line(user={"id": user})}, make_game(), tmp_path).valid
    assert (event["user_id"], event["user_id_changed"]) == (user, False)


@pytest.mark.parametrize(
    ("written", "stored"),
    [(" u1\t", "u1"), ("\u3000u 1\ufeff", "u 1"), ("e\u0301", "é"), ("\u1112\u1161\u11ab", "한")],
)
def test_blanks_around_an_id_and_its_composition_make_no_other_user(
    written: str, stored: str, tmp_path: Path
) -> None:
    (event,) = read({"a": a_line(user={"id": written})}, make_game(), tmp_path).valid
    assert (event["user_id"], event["user_id_changed"]) == (stored, True)


@pytest.mark.parametrize("user", ["0", 0, 0.0, "guest", " guest"])
def test_ids_that_the_game_lists_are_no_users(user: object, tmp_path: Path) -> None:
    logs = Logs.model_validate({"null_user_ids": [0, "guest "]})
    assert reason_of(a_line(user={"id": user}), tmp_path, logs=logs) == "no user id"
    assert reason_of(a_line(user={"id": "Guest"}), tmp_path, logs=logs) is None


@pytest.mark.slow
@given(
    user=st.one_of(
        st.text(max_size=8),
        st.text("0123456789.eE+- \u3000e\u0301", max_size=8),
        st.floats().map(str),
        st.integers(-(10**17), 10**17).map(float).map(str),
        st.integers(-(10**17), 10**17).map(str),
    )
)
def test_readers_and_the_api_store_and_look_up_the_same_id(
    user: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("id")
    (event,) = read({"a": a_line(user={"id": user})}, make_game(), folder).events
    assume(event["reason"] not in {"not JSON", NO_TEXT})
    if "\0" in user:
        assert event["reason"] == "the user id contains the character U+0000"
        return
    assert event["user_id"] == normalize_user_id(user)
    assert event["user_id_changed"] == (normalize_user_id(user) != user)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"hello", "not JSON"),
        (a_line() + b" x", "not JSON"),
        (a_line() + a_line(), "not JSON"),
        (b"5", "no user id"),
        (b"[1, 2]", "no user id"),
        (b"null", "no user id"),
        (b'{"user": 5, "at": "2026-03-10T12:00:00Z", "type": "x"}', "no user id"),
        (a_line(user={"id": None}), "no user id"),
        (a_line(user={"id": ""}), "no user id"),
        (a_line(user={"id": " \t"}), "no user id"),
        (a_line(user={"id": "\u3000\xa0"}), "no user id"),
        (a_line(user={"id": "null"}), "no user id"),
        (a_line(user={"id": " NULL "}), "no user id"),
        (a_line(user={"id": "undefined"}), "no user id"),
        (a_line(user={"id": "None"}), "no user id"),
        (a_line(user={"id": "NaN"}), "no user id"),
        (a_line(user={"id": "a\0b"}), "the user id contains the character U+0000"),
        (a_line(user={"id": "é\0b"}), "the user id contains the character U+0000"),
        (a_line(user={"country": "\0"}), "the attribute country contains the character U+0000"),
        (a_line(user={"id": 1.5e16}), FLOAT_ID),
        (a_line(user={"id": "1234567890123456.0"}), FLOAT_ID),
        (a_line(user={"id": "1.25e1"}), FLOAT_ID),
        (a_line(user={"id": {"a": 1}}), "the user id is neither text nor a number"),
        (a_line(user={"id": ["a"]}), "the user id is neither text nor a number"),
        (a_line(user={"id": True}), "the user id is neither text nor a number"),
        (a_line(user={"id": "é" * 192}), "the user id is longer than 191 characters"),
        (a_line(at="left out"), "no time"),
        (a_line(at=None), "no time"),
        (a_line(at=""), "an impossible time"),
        (a_line(at="yesterday"), "an impossible time"),
        (a_line(at="2026-02-30T12:00:00Z"), "an impossible time"),
        (a_line(at="2026-03-10T25:00:00Z"), "an impossible time"),
        (a_line(at="2026-03-10T12:00:00+15:00"), "an impossible time"),
        (a_line(at="2026-03-10 12:00:00.5 -99:99"), "an impossible time"),
        (a_line(at="infinity"), "an impossible time"),
        (a_line(at="-infinity"), "an impossible time"),
        (a_line(at="epoch"), TOO_EARLY),
        (a_line(at="1970-01-01T00:00:00Z"), TOO_EARLY),
        (a_line(at=1773144000), "an impossible time"),
        (a_line(at="2026-03-11T00:10:01Z"), "dated after its arrival day"),
        (a_line(at="2126-03-10T12:00:00Z"), "dated after its arrival day"),
        (a_line(type="left out"), "no event type"),
        (a_line(type=None), "no event type"),
        (a_line(type=""), "no event type"),
        (a_line(amount="free"), "the amount is not a number"),
        (a_line(amount={"value": 1}), "the amount is not a number"),
        (a_line(amount="NaN"), "the amount is not a number"),
        (a_line(amount="inf"), "the amount is not a number"),
        (a_line(amount="1e999"), "the amount is not a number"),
        (a_line(minutes="long"), "the property minutes is not a number"),
        (a_line(user={"level": "high"}), "the attribute level is not a number"),
        (a_line(user={"level": True}), "the attribute level is not a number"),
        (b"\xff" + a_line(), NO_TEXT),
        (a_line(note="\0").replace(b"\\u0000", b"\0"), NO_TEXT),
        (a_line(note="x" * (1 << 20)), NO_TEXT),
        (a_line(note="\x02").replace(b"\\u0002", b"\x02"), "not JSON"),
    ],
)
def test_each_fault_has_its_reason(line: bytes, reason: str, tmp_path: Path) -> None:
    assert reason_of(line, tmp_path) == reason


@pytest.mark.parametrize("first_day", [dt.date(1997, 1, 1), dt.date.min])
def test_times_before_2000_are_possible_in_a_game_that_is_as_old(
    first_day: dt.date, tmp_path: Path
) -> None:
    line = a_line(at="1997-02-03T12:00:00Z")
    assert reason_of(line, tmp_path, first_day=first_day) is None
    assert reason_of(line, tmp_path) == TOO_EARLY


def test_a_line_of_nearly_a_mebibyte_is_an_event(tmp_path: Path) -> None:
    assert reason_of(a_line(note="x" * ((1 << 20) - 200)), tmp_path) is None


@pytest.mark.parametrize("clock_skew", [0, 10, 1439])
def test_a_clock_may_run_ahead_by_the_skew_and_no_more(clock_skew: int, tmp_path: Path) -> None:
    limit = dt.datetime.combine(DAY, dt.time()) + dt.timedelta(days=1, minutes=clock_skew)
    times = [limit, limit + dt.timedelta(microseconds=1)]
    lines = b"\n".join(a_line(at=time.isoformat()) for time in times)
    parsed = read({"a": lines}, make_game(clock_skew_minutes=clock_skew), tmp_path)
    assert [event["reason"] for event in parsed.events] == [None, "dated after its arrival day"]


def test_a_late_event_keeps_its_own_date(tmp_path: Path) -> None:
    (event,) = read({"a": a_line(at="2026-02-28T23:59:59Z")}, make_game(), tmp_path).valid
    assert (event["dt"], event["event_date"]) == (DAY, dt.date(2026, 2, 28))


def test_blank_lines_are_nothing_and_count_in_line_numbers(tmp_path: Path) -> None:
    content = b"\n".join([b"", a_line(), b"  ", b"\t", b"broken", b"", a_line()])
    parsed = read({"a": content}, make_game(), tmp_path)
    assert [event["reason"] for event in parsed.events] == ["", None, "", "", "not JSON", "", None]
    assert parsed.bad == [("a", 5, "not JSON")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(end: bytes, tmp_path: Path) -> None:
    content = "\ufeff".encode() + a_line() + end + b"broken" + end
    parsed = read({"a": content}, make_game(), tmp_path)
    assert [event["reason"] for event in parsed.events] == [None, "not JSON"]
    assert parsed.bad == [("a", 2, "not JSON")]


def test_windows_line_ends_are_line_ends(tmp_path: Path) -> None:
    parsed = read({"a": a_line() + b"\r\n\r\n" + a_line() + b"\r\n"}, make_game(), tmp_path)
    assert [event["reason"] for event in parsed.events] == [None, "", None]


def test_quarantine_shows_the_beginning_of_a_line(tmp_path: Path) -> None:
    read({"a": b"no json " + b"x" * 20_000}, make_game(), tmp_path)
    ((content,),) = CONNECTION.execute(
        "SELECT content FROM raw_lines WHERE reason <> ''"
    ).fetchall()
    assert content == "no json " + "x" * 9_992


def test_field_and_file_names_may_hold_odd_characters(tmp_path: Path) -> None:
    fields = Fields(user_id="the $user.@id", event_time='"at-[0]"', event_type="쿠키 *")
    game = make_game(fields=fields, properties={}, attributes={})
    line = {"the $user": {"@id": "u"}, "at-[0]": "2026-03-10", "쿠키 *": "x"}
    files = {'it\'s a "file", 쿠키.gz': json.dumps(line).encode() + b"\n{}"}
    parsed = read(files, game, tmp_path)
    assert [event["user_id"] for event in parsed.valid] == ["u"]
    assert parsed.bad == [('it\'s a "file", 쿠키.gz', 2, "no user id")]


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "text", "hour"),
    [
        ("UTC", "2026-03-10T12:00:00Z", 12),
        ("UTC", "2026-03-10T12:00:00.000Z", 12),
        ("UTC", "2026-03-10 12:00:00", 12),
        ("UTC", "2026-03-10T12:00:00+00:00", 12),
        ("UTC", "2026-03-10T21:00:00+09:00", 12),
        ("UTC", "2026-03-10T21:00:00+0900", 12),
        ("UTC", "2026-03-10T21:00:00+09", 12),
        ("UTC", "2026-03-10T12:00Z", 12),
        ("UTC", "2026-03-10 12:00:00 UTC", 12),
        ("UTC", "2026-03-11T02:00:00+14:00", 12),
        ("UTC", "2026-03-10T00:00:00-12", 12),
        ("Asia/Seoul", "2026-03-10T03:00:00Z", 12),
        ("Asia/Seoul", "2026-03-10T12:00:00", 12),
        ("Asia/Seoul", "2026-03-10T12:00:00+09:00", 12),
        ("Asia/Seoul", "2026-03-10 03:00:00 UTC", 12),
        ("Asia/Seoul", "2026-03-09T22:00:00-05:00", 12),
        ("America/New_York", "2026-03-10T16:00:00Z", 12),
        ("America/New_York", "2026-03-07T17:00:00Z", 12),
        ("America/New_York", "2026-03-08T06:30:00Z", 1),
        ("America/New_York", "2026-03-08T07:30:00Z", 3),
        ("America/New_York", "2026-03-08T02:30:00", 3),
    ],
)
def test_a_time_is_put_on_the_games_clock(zone: str, text: str, hour: int, tmp_path: Path) -> None:
    (event,) = read({"a": a_line(at=text)}, make_game(time_zone=zone), tmp_path).valid
    assert event["event_time"].hour == hour
    assert event["event_date"] == event["event_time"].date()


@pytest.mark.parametrize(("zone", "date"), [("UTC", 9), ("Asia/Seoul", 10)])
def test_the_event_date_is_the_games_own(zone: str, date: int, tmp_path: Path) -> None:
    (event,) = read(
        {"a": a_line(at="2026-03-09T15:00:00Z")}, make_game(time_zone=zone), tmp_path
    ).valid
    assert event["event_date"] == dt.date(2026, 3, date)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
@pytest.mark.parametrize(
    ("unit", "time"),
    [
        ("epoch_seconds", 1773144000),
        ("epoch_seconds", "1773144000"),
        ("epoch_seconds", 1773144000.25),
        ("epoch_milliseconds", 1773144000000),
        ("epoch_milliseconds", "1773144000250"),
        ("epoch_microseconds", "1773144000250000"),
        ("epoch_microseconds", 1773144000000000),
        ("epoch_nanoseconds", 1773144000250000000),
    ],
)
def test_an_epoch_is_an_instant(unit: str, time: object, zone: str, tmp_path: Path) -> None:
    game = make_game(time_zone=zone, logs=Logs(time_format=unit))
    (event,) = read({"a": a_line(at=time)}, game, tmp_path).valid
    moment = UTC_MOMENT + dt.timedelta(hours=9 if zone == "Asia/Seoul" else 0)
    assert event["event_time"] - moment in {dt.timedelta(0), dt.timedelta(milliseconds=250)}


@pytest.mark.parametrize("time", ["soon", "NaN", "inf", "1e300", -5, 0, "2026-03-10T12:00:00Z"])
@pytest.mark.parametrize("unit", TICKS_PER_SECOND)
def test_an_impossible_epoch_is_no_time(unit: str, time: object, tmp_path: Path) -> None:
    reason = reason_of(a_line(at=time), tmp_path, logs=Logs(time_format=unit))
    assert reason == (TOO_EARLY if time in (-5, 0) else "an impossible time")


def test_seconds_read_as_milliseconds_and_the_other_way_round_are_refused(tmp_path: Path) -> None:
    units = {"epoch_seconds": 1773144000000, "epoch_milliseconds": 1773144000}
    for unit, time in units.items():
        (tmp_path / unit).mkdir()
        logs = Logs.model_validate({"time_format": unit})
        assert reason_of(a_line(at=time), tmp_path / unit, logs=logs)


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "worth", "reason"),
    [
        (10, "USD", 10.0, None),
        ("10", "KRW", 0.0072, None),
        (None, None, None, None),
        (None, "???", None, None),
        (10, "EUR", None, "a currency that currencies does not list"),
        (10, "usd", None, "a currency that currencies does not list"),
        (10, None, None, "a currency that currencies does not list"),
        ("ten", "USD", None, "the amount is not a number"),
    ],
)
def test_amounts_are_converted_by_their_currency(
    amount: object, currency: object, worth: float | None, reason: str | None, tmp_path: Path
) -> None:
    fields = make_game().fields.model_copy(update={"currency": "currency"})
    game = make_game(fields=fields, currencies={"USD": 1, "KRW": 0.00072, "O'Z": 2})
    (event,) = read({"a": a_line(amount=amount, currency=currency)}, game, tmp_path).events
    assert event["reason"] == reason
    assert event["amount"] == (pytest.approx(worth) if worth is not None else None)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_lines_are_counted_in_each_file_of_many_read_at_once(tmp_path: Path) -> None:
    good = b"".join(a_line(user={"id": f"u{n}"}) + b"\n" for n in range(60_000))
    expected, files = [], {}
    for number in range(6):
        at = 9_999 * number
        lines = good.split(b"\n")[: 60_000 - at // 6]
        lines.insert(at, b"broken")
        files[f"file {number}"] = gzip.compress(b"\n".join(lines), 1)
        expected.append((f"file {number}", at + 1, "not JSON"))
    parsed = read(files, make_game(properties={}, attributes={}), tmp_path)
    assert parsed.bad == expected
    users = [event["user_id"] for event in parsed.valid if event["file"] == 0]
    assert users == [f"u{n}" for n in range(60_000)]


@pytest.mark.slow
def test_a_large_file_read_by_several_threads_keeps_its_order(tmp_path: Path) -> None:
    note = "x" * 2_000
    lines = [a_line(user={"id": str(n)}, note=note) for n in range(40_000)]
    lines[30_000] = b"broken"
    parsed = read({"a": b"\n".join(lines)}, make_game(), tmp_path)
    assert parsed.bad == [("a", 30_001, "not JSON")]
    assert [event["user_id"] for event in parsed.valid[29_990:]] == [
        str(n) for n in range(29_990, 40_000) if n != 30_000
    ]


def test_empty_files_have_no_lines(tmp_path: Path) -> None:
    parsed = read({"a": b"", "b": gzip.compress(b""), "c": a_line()}, make_game(), tmp_path)
    assert [(event["file"], event["reason"]) for event in parsed.events] == [(2, None)]
    assert parsed.bad == []


def test_only_empty_files_give_empty_tables(tmp_path: Path) -> None:
    assert read({"a": b"", "b": gzip.compress(b"")}, make_game(), tmp_path) == Read([], [])


@pytest.mark.slow
@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys())
def test_a_truncated_file_gives_its_lines_and_one_row_of_quarantine(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    lines = b"".join(a_line(id=f"{n:x}", minutes=n * n) + b"\n" for n in range(30_000))
    whole = compress(lines)
    parsed = read({"cut": whole[: len(whole) * 2 // 3], "whole": a_line()}, make_game(), tmp_path)
    ((name, line, reason),) = parsed.bad
    assert (name, line) == ("cut", None)
    assert reason.startswith("the file is damaged: ")
    assert 5_000 < len(parsed.valid) < 30_000
    assert len(parsed.valid) == len(parsed.events)


def test_lines_of_archives_are_numbered_in_each_log(tmp_path: Path) -> None:
    members = {"a.jsonl": a_line() + b"\nbroken\n", "b/c.gz": gzip.compress(b"\nbroken\n")}
    files = {"day.zip": make_zip(members), "other": b"\n\nbroken\n", "empty.zip": make_zip({})}
    parsed = read(files, make_game(), tmp_path)
    assert sorted(parsed.bad, key=str) == [
        ("day.zip/a.jsonl", 2, "not JSON"),
        ("day.zip/b/c.gz", 2, "not JSON"),
        ("empty.zip", None, "the zip archive has no log in it"),
        ("other", 3, "not JSON"),
    ]
    assert len(parsed.valid) == 1


# --- JSON -----------------------------------------------------------------------------------------


def json_file_game() -> Game:
    return make_game(logs=Logs(format="json"))


@pytest.mark.parametrize(
    "content",
    [
        b"[" + a_line() + b",\n" + a_line(user={"id": ""}) + b", " + a_line() + b"]",
        a_line() + a_line(user={"id": ""}) + a_line(),
        b"\n".join([a_line(), a_line(user={"id": ""}), a_line()]),
        json.dumps(list(map(json.loads, [a_line(), a_line(user={"id": ""}), a_line()])), indent=2),
    ],
)
def test_elements_of_a_file_are_numbered_events(content: bytes | str, tmp_path: Path) -> None:
    content = content if isinstance(content, bytes) else content.encode("utf-16")
    parsed = read({"a": content}, json_file_game(), tmp_path)
    assert [event["line"] for event in parsed.valid] == [1, 3]
    assert parsed.bad == [("a", 2, "no user id")]


def test_an_element_that_is_broken_damages_its_file_from_there_on(tmp_path: Path) -> None:
    content = b"[" + a_line() + b", 5, {broken, " + a_line() + b"]"
    parsed = read({"a": content, "b": a_line()}, json_file_game(), tmp_path)
    assert [(event["file"], event["line"]) for event in parsed.valid] == [(0, 1), (1, 1)]
    (number, damage) = parsed.bad
    assert number == ("a", 2, "no user id")
    assert damage[2].startswith("the file is damaged: element 3 is broken: ")


# --- CSV ------------------------------------------------------------------------------------------

HEADER = b"user.id,at,type,id,amount,minutes,user.country,user.level\n"


def csv_game(form: dict[str, Any] | None = None, **changes: Any) -> Game:
    return make_game(logs=Logs(format="csv", csv=Csv.model_validate(form or {})), **changes)


def a_record(country: str = "KR", user: str = "u1", amount: str = "") -> bytes:
    return f"{user},2026-03-10T12:00:00Z,battle,e1,{amount},7,{country},3\n".encode()


def test_a_record_becomes_an_event_with_its_typed_facts(tmp_path: Path) -> None:
    parsed = read({"a": HEADER + a_record(amount="4.99")}, csv_game(), tmp_path)
    assert [event["reason"] for event in parsed.events] == ["", None]
    (event,) = parsed.valid
    facts = ("u1", UTC_MOMENT, DAY, "battle", KEY_OF_E1, 4.99, 7.0, "KR", 3.0)
    assert tuple(value for name, value in event.items() if name not in NUMBERING) == facts


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("KR", "KR"),
        ('"KR"', "KR"),
        ('"Korea, South"', "Korea, South"),
        ('"the ""South"""', 'the "South"'),
        ('""""', '"'),
        ('","', ","),
        ('""', None),
        ("", None),
        ("쿠키", "쿠키"),
        ("true", "true"),
    ],
)
def test_a_quoted_field_is_its_content(written: str, meant: str | None, tmp_path: Path) -> None:
    (event,) = read({"a": HEADER + a_record(written)}, csv_game(), tmp_path).valid
    assert (event["attribute_country"], event["attribute_level"]) == (meant, 3.0)


@pytest.mark.parametrize("user", ['"u1"', '"a, b"', '"""q"""', "true", "{a}"])
def test_the_first_field_may_be_quoted(user: str, tmp_path: Path) -> None:
    (event,) = read({"a": HEADER + a_record(user=user)}, csv_game(), tmp_path).valid
    assert event["user_id"] == {'"u1"': "u1", '"a, b"': "a, b", '"""q"""': '"q"'}.get(user, user)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"u1,2026-03-10\n", "not CSV: 2 columns, the header has 8"),
        (a_record("KR,JP"), "not CSV: 9 columns, the header has 8"),
        (a_record('"KR","JP"'), "not CSV: 9 columns, the header has 8"),
        (a_record('K"R'), "not CSV: a quote is out of place"),
        (a_record('"K"R'), "not CSV: a quote is out of place"),
        (a_record(user=""), "no user id"),
        (a_record('"K,R"', user=""), "no user id"),
        (a_record(user='""'), "no user id"),
        (a_record(amount="free"), "the amount is not a number"),
        (b"\xff" + a_record(), NO_TEXT),
    ],
)
def test_each_fault_of_a_record_has_its_reason(record: bytes, reason: str, tmp_path: Path) -> None:
    content = HEADER + a_record() + record + a_record()
    parsed = read({"a": content}, csv_game(), tmp_path)
    assert parsed.bad == [("a", 3, reason)]
    assert len(parsed.valid) == 2


def test_what_a_player_writes_into_a_quoted_value_is_no_record(tmp_path: Path) -> None:
    forged = 'hi\nvictim,2026-03-10T12:00:00Z,purchase,e2,999,7,KR,3\n""bye""'
    content = HEADER + a_record(f'"{forged}"', user="a") + a_record() + a_record("x,y")
    parsed = read({"a": content}, csv_game(), tmp_path)
    assert [(e["user_id"], e["line"], e["attribute_country"]) for e in parsed.valid] == [
        ("a", 2, forged.replace('""', '"')),
        ("u1", 5, "KR"),
    ]
    assert parsed.bad == [("a", 6, "not CSV: 9 columns, the header has 8")]


def test_a_quote_that_is_not_closed_damages_its_file_from_its_line_on(tmp_path: Path) -> None:
    cut = HEADER + a_record() + a_record('"KR') + a_record() * 5_000
    parsed = read({"a": cut, "b": HEADER + a_record()}, csv_game(), tmp_path)
    assert [(event["file"], event["line"]) for event in parsed.valid] == [(0, 2), (1, 2)]
    assert parsed.bad == [
        ("a", None, "the file is damaged: a quote in line 3 is not closed to the end")
    ]


def test_quarantine_shows_all_lines_of_a_record(tmp_path: Path) -> None:
    read({"a": HEADER + a_record('"K\nR"', amount="free")}, csv_game(), tmp_path)
    ((content,),) = CONNECTION.execute(BAD_CONTENT).fetchall()
    assert content == a_record('"K\nR"', amount="free").decode().removesuffix("\n")


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", "\x01"])
def test_values_may_be_delimited_otherwise(delimiter: str, tmp_path: Path) -> None:
    mark = delimiter.encode()
    content = HEADER.replace(b",", mark) + a_record("K R").replace(b",", mark)
    (event,) = read({"a": content}, csv_game({"delimiter": delimiter}), tmp_path).valid
    assert (event["attribute_country"], event["attribute_level"]) == ("K R", 3.0)


def test_values_without_quotes_may_hold_them(tmp_path: Path) -> None:
    content = HEADER + a_record('"K"R') + a_record('"')
    valid = read({"a": content}, csv_game({"quote": ""}), tmp_path).valid
    assert [event["attribute_country"] for event in valid] == ['"K"R', '"']


def test_files_without_a_header_have_that_of_the_game(tmp_path: Path) -> None:
    game = csv_game({"header": HEADER.decode().strip().split(",")})
    parsed = read({"a": a_record(), "b": HEADER + a_record()}, game, tmp_path)
    assert [(event["file"], event["line"]) for event in parsed.valid] == [(0, 1), (1, 2)]
    assert parsed.bad == []


@pytest.mark.parametrize(
    ("decimal", "thousands", "amount", "number"),
    [
        (",", ".", "1.234,56", 1234.56),
        (",", ".", "-1.234.567,5", -1234567.5),
        (",", ".", "1234,56", 1234.56),
        (",", ".", "4.99", None),
        (",", ".", "1.2345,6", None),
        (",", "", "4,99", 4.99),
        (",", "", "4.99", None),
        (",", "", "1,5e3", 1500.0),
        (",", "", "NaN", None),
        (".", ",", "1,234.5", 1234.5),
        (".", ",", "1,23,456", 123456.0),
        (".", ",", "1,23", None),
        (".", ",", "1,,234", None),
        (".", "'", "1'234.5", 1234.5),
        (",", " ", "1 234,5", 1234.5),
        (",", "\u00a0", "1\u00a0234,5", 1234.5),
        (",", "\u202f", "1\u202f234", 1234.0),
    ],
)
def test_numbers_are_read_with_their_marks(
    decimal: str, thousands: str, amount: str, number: float | None, tmp_path: Path
) -> None:
    game = csv_game({"decimal": decimal, "thousands": thousands})
    parsed = read({"a": HEADER + a_record(amount=f'"{amount}"')}, game, tmp_path)
    assert parsed.reasons == ([] if number is not None else ["the amount is not a number"])
    assert [event["amount"] for event in parsed.valid] == [number] * (number is not None)


@pytest.mark.parametrize("form", [{}, {"thousands": ","}])
def test_numbers_that_are_missing_are_none(form: dict[str, Any], tmp_path: Path) -> None:
    (event,) = read({"a": HEADER + a_record(amount="")}, csv_game(form), tmp_path).valid
    assert event["amount"] is None


def test_a_header_that_names_a_column_of_the_game_twice_is_refused(tmp_path: Path) -> None:
    files = {"a": b"type,at,type,user.id\nx,2026-03-10,y,u\n", "b": HEADER + a_record()}
    parsed = read(files, csv_game(), tmp_path)
    assert parsed.bad == [("a", None, "the header names the column type twice")]
    assert [event["file"] for event in parsed.valid] == [1]


def test_a_header_may_name_other_columns_twice(tmp_path: Path) -> None:
    content = b"note,type,at,note,user.id\nx,chat,2026-03-10,y,u\n"
    (event,) = read({"a": content}, csv_game(), tmp_path).valid
    assert (event["user_id"], event["event_type"]) == ("u", "chat")


def test_a_header_that_is_not_csv_damages_its_file(tmp_path: Path) -> None:
    parsed = read({"a": b'us"er,at\n1,2\n'}, csv_game(), tmp_path)
    assert parsed.bad == [("a", None, "the file is damaged: its header is not CSV")]


def test_blank_lines_before_the_header_are_nothing(tmp_path: Path) -> None:
    parsed = read({"a": b"\n \n" + HEADER + a_record()}, csv_game(), tmp_path)
    assert [event["reason"] for event in parsed.events] == ["", "", "", None]


def test_files_of_a_day_may_have_different_headers(tmp_path: Path) -> None:
    other = b"\xef\xbb\xbftype,extra,at,user.id\nchat,x,2026-03-10T12:00:00Z,u2\n"
    parsed = read({"a": HEADER + a_record(), "b": other, "c": b""}, csv_game(), tmp_path)
    valid = {(event["file"], event["user_id"], event["event_type"]) for event in parsed.valid}
    assert valid == {(0, "u1", "battle"), (1, "u2", "chat")}


def test_lines_are_counted_in_files_of_different_headers(tmp_path: Path) -> None:
    other = b"type,at,user.id\nbroken\nchat,2026-03-10T12:00:00Z,u2\n"
    files = {"b": other, "a": HEADER + a_record() + b"x\n", "c": other}
    parsed = read(files, csv_game(), tmp_path)
    assert [(name, line) for name, line, _ in parsed.bad] == [("b", 2), ("a", 3), ("c", 2)]


def test_a_header_that_stands_again_is_no_record(tmp_path: Path) -> None:
    content = HEADER + a_record() + HEADER + "\ufeff".encode() + HEADER + b"\n" + a_record()
    parsed = read({"a": content}, csv_game(), tmp_path)
    assert [event["reason"] for event in parsed.events] == ["", None, "", "", "", None]


def test_a_windows_file_is_read_like_any_other(tmp_path: Path) -> None:
    content = (HEADER + a_record() + HEADER + a_record()).replace(b"\n", b"\r\n")
    parsed = read({"a": "\ufeff".encode() + content}, csv_game(), tmp_path)
    assert [event["reason"] for event in parsed.events] == ["", None, "", None]


def test_a_quoted_header_names_its_columns(tmp_path: Path) -> None:
    content = b'"user.id","at","type","it\'s, ""odd"""\nu1,2026-03-10T12:00:00Z,chat,x\n'
    (event,) = read({"a": content}, csv_game(), tmp_path).valid
    assert (event["user_id"], event["event_type"]) == ("u1", "chat")


def test_a_file_without_the_users_column_is_quarantined_line_by_line(tmp_path: Path) -> None:
    parsed = read({"a": b"at,type\n2026-03-10,x\n2026-03-10,y\n"}, csv_game(), tmp_path)
    assert parsed.bad == [("a", 2, "no user id"), ("a", 3, "no user id")]


# --- Parquet --------------------------------------------------------------------------------------


def a_table(**changes: Any) -> bytes:
    columns: dict[str, Any] = {
        "user": [
            {"id": "u1", "country": "KR", "level": 3},
            {"id": None, "country": "JP", "level": 4},
        ],
        "at": pa.array([UTC_MOMENT, UTC_MOMENT], pa.timestamp("us")),
        "type": ["battle", "chat"],
        "id": ["e1", "e2"],
        "amount": [4.99, None],
        **changes,
    }
    kept = {name: column for name, column in columns.items() if column is not None}
    return a_parquet_file(pa.table(kept))


def a_parquet_file(table: pa.Table, codec: str = "snappy") -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression=codec)
    return bytes(sink.getvalue().to_pybytes())


def parquet_game(**changes: Any) -> Game:
    return make_game(logs=Logs(format="parquet"), **changes)


def test_rows_become_events_with_nested_fields(tmp_path: Path) -> None:
    parsed = read({"a": a_table()}, parquet_game(), tmp_path)
    (event,) = parsed.valid
    assert (event["user_id"], event["event_time"]) == ("u1", UTC_MOMENT)
    assert (event["amount"], event["property_minutes"]) == (4.99, None)
    assert (event["attribute_country"], event["attribute_level"]) == ("KR", 3.0)
    assert parsed.bad == [("a", 2, "no user id")]
    ((content,),) = CONNECTION.execute(
        "SELECT content FROM raw_lines WHERE reason <> ''"
    ).fetchall()
    assert json.loads(content)["user"] == {"id": None, "country": "JP", "level": 4}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_a_typed_instant_is_put_on_the_games_clock(zone: str, tmp_path: Path) -> None:
    at = pa.array([UTC_MOMENT, UTC_MOMENT], pa.timestamp("ms", "Europe/Paris"))
    (event,) = read({"a": a_table(at=at)}, parquet_game(time_zone=zone), tmp_path).valid
    assert event["event_time"].hour == (12 if zone == "UTC" else 21)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul"])
def test_a_typed_time_without_zone_is_the_games_own(zone: str, tmp_path: Path) -> None:
    (event,) = read({"a": a_table()}, parquet_game(time_zone=zone), tmp_path).valid
    assert event["event_time"] == UTC_MOMENT


def test_a_missing_column_is_a_reason_and_files_may_differ(tmp_path: Path) -> None:
    files = {"a": a_table(type=None), "b": a_table(minutes=[1, 2], extra=["x", "y"])}
    parsed = read(files, parquet_game(), tmp_path)
    assert [reason for name, _, reason in parsed.bad if name == "a"] == [
        "no event type",
        "no user id",
    ]
    assert [(event["file"], event["property_minutes"]) for event in parsed.valid] == [(1, 1.0)]


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([123, None], pa.int64()),
        pa.array([123, float("nan")], pa.float64()),
        pa.array([123, None], pa.float32()),
        pa.array([123, None], pa.decimal128(9, 2)),
        pa.array(["123", "null"]),
        pa.array(["1.23E2", ""]),
    ],
)
def test_a_number_of_any_type_is_one_user_and_a_missing_one_is_none(
    ids: pa.Array, tmp_path: Path
) -> None:
    table = a_table(user=pa.StructArray.from_arrays([ids], ["id"]))
    parsed = read({"a": table}, parquet_game(attributes={}), tmp_path)
    assert [event["user_id"] for event in parsed.valid] == ["123"]
    assert parsed.reasons == ["no user id"]


@pytest.mark.parametrize("user", [[{"id": True}] * 2, [{"id": {"a": 1}}] * 2, [{"id": [1]}] * 2])
def test_a_user_column_of_another_kind_is_refused(user: Any, tmp_path: Path) -> None:
    parsed = read({"a": a_table(user=user)}, parquet_game(), tmp_path)
    assert parsed.reasons == ["the user id is neither text nor a number"] * 2


def test_damaged_files_are_reported_and_the_others_read(tmp_path: Path) -> None:
    whole = a_table()
    files = {"cut": whole[:-20], "text": b"hello", "empty": b"", "whole": whole}
    parsed = read(files, parquet_game(), tmp_path)
    assert [event["file"] for event in parsed.valid] == [3]
    assert {name for name, line, _ in parsed.bad if line is None} == {"cut", "text", "empty"}


def test_a_nested_value_that_cannot_be_read_damages_its_file_alone(tmp_path: Path) -> None:
    users = [{"id": f"u{n}", "country": "KR", "level": n} for n in range(2_000)]
    columns = {"at": [UTC_MOMENT] * 2_000, "type": ["x"] * 2_000, "id": None, "amount": None}
    broken = bytearray(a_table(user=users, **columns))
    broken[40:60] = bytes(20)
    parsed = read({"broken": bytes(broken), "whole": a_table()}, parquet_game(), tmp_path)
    assert [event["file"] for event in parsed.valid] == [1]
    assert ("broken", None) in {(name, line) for name, line, _ in parsed.bad}


def test_only_damaged_files_give_no_events(tmp_path: Path) -> None:
    parsed = read({"a": b"hello"}, parquet_game(), tmp_path)
    assert (parsed.events, len(parsed.bad)) == ([], 1)


@pytest.mark.parametrize(
    "name", ["a.b", "source", "content", "line", "dt", "file_row_number", "column_0"]
)
def test_a_column_may_have_any_name(name: str, tmp_path: Path) -> None:
    for odd in (name, f"{name}s 'of' \"x\", or; --", "쿠키"):
        quoted = '"' + odd.replace('"', '""') + '"'
        attributes = {"country": Attribute(field=quoted)}
        table = a_table(**{odd: ["x", "y"]})
        parsed = read({"a": table}, parquet_game(attributes=attributes), tmp_path)
        assert [(it["line"], it["attribute_country"]) for it in parsed.valid] == [(1, "x")]
        assert json.loads(CONNECTION.execute(BAD_CONTENT).fetchall()[0][0])[odd] == "y"


def test_the_case_of_a_name_matters(tmp_path: Path) -> None:
    both = a_table(Minutes=[1, 1], minutes=[2, 2], user=[{"ID": "x", "id": "u1", "iD": "y"}] * 2)
    other = a_table(Minutes=[1, 1], user=[{"ID": "x"}] * 2)
    parsed = read({"a": both, "b": other}, parquet_game(attributes={}), tmp_path)
    assert {(event["user_id"], event["property_minutes"]) for event in parsed.valid} == {("u1", 2)}
    assert parsed.bad == [("b", 1, "no user id"), ("b", 2, "no user id")]


def test_a_column_that_is_there_twice_damages_a_file_if_the_game_uses_it(tmp_path: Path) -> None:
    def twice(name: str) -> bytes:
        table = parquet.read_table(pa.BufferReader(a_table(extra=["x", "y"])))
        return a_parquet_file(table.append_column(name, table[name]))

    parsed = read({"a": twice("type"), "b": twice("extra")}, parquet_game(), tmp_path)
    assert ("a", None, "the file has two columns type") in parsed.bad
    assert [event["file"] for event in parsed.valid] == [1]


def test_files_of_a_day_may_have_columns_of_other_types(tmp_path: Path) -> None:
    files = {
        "number": a_table(minutes=[5, 5]),
        "text": a_table(minutes=["5", "5"]),
        "none": a_table(minutes=pa.nulls(2)),
        "missing": a_table(),
        "list": a_table(minutes=[[1], [2]]),
        "map": a_table(minutes=pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int64()))),
        "structure": a_table(minutes=[{"a": 1}] * 2, user=["u1", "u2"]),
    }
    parsed = read(files, parquet_game(), tmp_path)
    minutes = [(event["file"], event["property_minutes"]) for event in parsed.valid]
    assert minutes == [(0, 5), (1, 5), (2, None), (3, None)]
    reasons = {(name, reason) for name, line, reason in parsed.bad if line == 1}
    assert reasons == {
        ("list", "the property minutes is not a number"),
        ("map", "the property minutes is not a number"),
        ("structure", "no user id"),
    }


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "lz4", "zstd"])
def test_parquet_is_compressed_inside_with_any_codec(codec: str, tmp_path: Path) -> None:
    table = parquet.read_table(pa.BufferReader(a_table()))
    parsed = read({"a": a_parquet_file(table, codec)}, parquet_game(), tmp_path)
    assert [event["user_id"] for event in parsed.valid] == ["u1"]


class LocalKeys(encryption.KmsClient):  # type: ignore[misc]  # pyarrow has no types
    """Keeps keys beside the data."""

    def wrap_key(self, key: bytes, _name: str) -> bytes:
        return base64.b64encode(key)


@pytest.mark.parametrize("plain_footer", [True, False])
def test_an_encrypted_file_is_damaged_and_says_so(plain_footer: bool, tmp_path: Path) -> None:
    table = parquet.read_table(pa.BufferReader(a_table()))
    form = encryption.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["type"]}, plaintext_footer=plain_footer
    )
    keys = encryption.CryptoFactory(lambda _config: LocalKeys())
    properties = keys.file_encryption_properties(encryption.KmsConnectionConfig(), form)
    sink = pa.BufferOutputStream()
    with parquet.ParquetWriter(sink, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    parsed = read({"a": sink.getvalue().to_pybytes()}, parquet_game(), tmp_path)
    assert parsed.bad == [("a", None, "the file is encrypted; write it without encryption")]


def test_parquet_in_an_archive_is_damage_that_says_what_to_do(tmp_path: Path) -> None:
    files = {"a.zip": make_zip({"b": a_table()}), "c": a_table()}
    parsed = read(files, parquet_game(), tmp_path)
    assert ("a.zip/b", None, "Parquet in a zip archive is not read; unpack it") in parsed.bad
    assert len(parsed.valid) == 1


# --- whatever the lines ---------------------------------------------------------------------------

LINES = {
    None: [a_line(), a_line(id="e1"), a_line(amount=3), a_line(at="2026-01-01T00:00:00+05:30")],
    "": [b"", b"   ", b"\t"],
    "not JSON": [b"{", b"x,y", "쿠키".encode(), a_line()[:-1], b'"', b"'"],
    "no user id": [b"{}", a_line(user={"id": ""})],
    "an impossible time": [a_line(at="never")],
    NO_TEXT: [b"\xff", b"a\0b", b"\xed\xa0\x80"],
}


@pytest.mark.slow
@given(
    files=st.lists(
        st.lists(
            st.sampled_from([(reason, line) for reason, lines in LINES.items() for line in lines]),
            max_size=30,
        ),
        min_size=1,
        max_size=3,
    ),
    end=st.sampled_from([b"\n", b"\r\n"]),
    compress=st.sampled_from([bytes, *COMPRESSIONS.values()]),
)
def test_every_line_is_an_event_or_nothing_or_in_quarantine_at_its_place(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[tuple[str | None, bytes]]],
    end: bytes,
    compress: Callable[[bytes], bytes],
) -> None:
    content = {
        f"file {number}": compress(b"".join(line + end for _, line in lines))
        for number, lines in enumerate(files)
    }
    parsed = read(content, make_game(), tmp_path_factory.mktemp("lines"))
    assert [event["reason"] for event in parsed.events] == [r for lines in files for r, _ in lines]
    assert parsed.bad == [
        (f"file {number}", at, reason)
        for number, lines in enumerate(files)
        for at, (reason, _) in enumerate(lines, start=1)
        if reason
    ]
    assert UNREADABLE not in "".join(event["user_id"] or "" for event in parsed.valid)


ENDS_OF_TIME = [
    "294247-01-10T04:00:54Z",
    "294247-01-10T04:00:54.775806+00:00",
    "294247-01-09T20:00:54-08:00",
    "294247-01-10",
    "290309-12-22 (BC) 00:00:00+00",
    "290309-12-21 (BC) 12:00:00-12",
    "-290308-12-21T19:59:05Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "0000-00-00T00:00:00Z",
    "2026-03-10T12:00:00+99:99",
    "2026-03-10T12:00:00 Nowhere/Land",
    "infinity",
    9223372036854,
    9223372036854775807,
    -9223372036854775808,
    9.3e12,
    1e300,
    -1e300,
]
ZONES = ["UTC", "Asia/Seoul", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago"]


@pytest.mark.parametrize("time_format", ["iso8601", "epoch_seconds", "epoch_milliseconds"])
@pytest.mark.parametrize("zone", ZONES)
def test_a_time_at_an_end_of_the_range_is_one_line_in_quarantine(
    zone: str, time_format: str, tmp_path: Path
) -> None:
    noon = UTC_MOMENT.replace(tzinfo=dt.UTC)
    seconds = int(noon.timestamp())
    at = {"iso8601": noon.isoformat(), "epoch_seconds": seconds}.get(time_format, seconds * 1_000)
    lines = [a_line(at=at), *(a_line(at=time) for time in ENDS_OF_TIME)]
    game = make_game(time_zone=zone, logs=Logs.model_validate({"time_format": time_format}))
    parsed = read({"a": b"\n".join(lines)}, game, tmp_path, day=DAY + dt.timedelta(days=1))
    assert [event["line"] for event in parsed.valid] == [1]
    assert len(parsed.bad) == len(ENDS_OF_TIME)
    assert set(parsed.reasons) <= {"an impossible time", "dated after its arrival day", TOO_EARLY}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()  # JSON has no NaN, but Python writes it
    | st.text(max_size=20)
    | st.floats().map(str)
    | st.datetimes().map(str)
    | st.sampled_from(ENDS_OF_TIME),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=4,
)
FIELDS = ["user", "at", "type", "id", "amount", "minutes", "currency"]
AMOUNTS_IN_CURRENCIES = {
    "fields": make_game().fields.model_copy(update={"currency": "currency"}),
    "currencies": {"USD": 1, "KRW": 1e-300, "DEAR": 1e300},
}


@pytest.mark.slow
@given(
    values=st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=20),
    user=st.dictionaries(st.sampled_from(["id", "country", "level"]), VALUES),
    zone=st.sampled_from(ZONES),
    time_format=st.sampled_from(["iso8601", "epoch_seconds", "epoch_milliseconds"]),
    more=st.sampled_from([{}, AMOUNTS_IN_CURRENCIES]),
)
def test_no_value_in_any_field_stops_the_reader_and_no_line_is_lost(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[tuple[str, Any]],
    user: dict[str, Any],
    zone: str,
    time_format: str,
    more: dict[str, Any],
) -> None:
    facts: list[dict[str, Any]] = [{name: value} for name, value in values]
    valid = {"user": {"id": "u"}, "at": "2026-03-10", "type": "x", "currency": "USD"}
    lines = [json.dumps(valid | changed).encode() for changed in [{"user": user}, *facts]]
    logs = Logs.model_validate({"time_format": time_format})
    game = make_game(time_zone=zone, logs=logs, **more)
    parsed = read({"a": b"\n".join(lines)}, game, tmp_path_factory.mktemp("poison"))
    assert [event["line"] for event in parsed.events] == list(range(1, len(lines) + 1))
    assert len(parsed.valid) + len(parsed.bad) == len(lines)
    for event in parsed.valid:
        assert event["user_id"]
        assert event["event_date"] <= DAY + dt.timedelta(days=1)
        for name in ("amount", "property_minutes", "attribute_level"):
            assert event[name] is None or abs(event[name]) <= MAX_NUMBER
