import datetime as dt
import gzip
import hashlib
import itertools
import json
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ds_assets.game import load_game
from ds_assets.simulate import SimulationOptions, SimulationSummary, run, simulate
from ds_assets.simulate.events import EventType
from ds_assets.simulate.game_file import ACTIVE_DAYS, HORIZON_DAYS
from ds_assets.simulate.play import SimulatedGame
from ds_assets.simulate.responses import Offers
from ds_assets.simulate.truth import Oracle
from ds_assets.simulate.world import COUNTRIES, Law, World, build_world

Numbers: TypeAlias = npt.NDArray[np.float64]

START = dt.date(2026, 1, 1)
PRICES = {0.99, 1.99, 4.99, 9.99, 19.99, 49.99, 99.99}
KNOWN_TYPES = {"session_start", "stage_clear", "level_up", "ad_view", "gacha_draw", "purchase"}
PINNED = "167ef5dde9737ff609ec3e97b10ab1c7faf95fd1f577d64a5c636d0674df7774"
"""SHA-256 of the text of the messy game: an option that is left out changes nothing."""
MESS = {"broken": 0.05, "duplicates": 0.05, "late": 0.05, "skewed": 0.05, "unknown_types": 0.05}
ADDED = {"broken": 0.1, "duplicates": 0.1, "unknown_types": 0.1}
OTHER_GAMES: dict[str, dict[str, Any]] = {
    "groups differ": {"groups_differ": True},
    "changed": {"changed_from": START + dt.timedelta(24)},
}


SNAPSHOTS = (13, 20, 27, 34)
"""Days whose probabilities are compared with what happened, a horizon apart."""


def options(**changes: Any) -> SimulationOptions:
    return SimulationOptions(**{"users": 300, "days": 10, "seed": 3, "start": START, **changes})


def hashes(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def lines(out: Path) -> list[tuple[dt.date, bytes]]:
    """Every line with its arrival day, in the order of arrival."""
    return [
        (dt.date.fromisoformat(path.parent.name.removeprefix("dt=")), line)
        for path in sorted((out / "source").glob("*/*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def events(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for _, line in lines(out)]


def flaw(arrival: dt.date, line: bytes) -> str:
    """What is wrong with a line when it is looked at alone."""
    try:
        event = json.loads(line)
    except ValueError:
        return "broken_truncated"
    flaws = {
        "broken_wrong_type": not isinstance(event["user"], dict),
        "broken_no_user_id": "id" not in event["user"] and 17 not in event["user"],
        "broken_no_time": "ts" not in event,
        "broken_garbage_time": not event.get("ts", "Z").endswith("Z"),
        "unknown_types": event["type"] not in KNOWN_TYPES,
    }
    names = [name for name, is_so in flaws.items() if is_so]
    assert len(names) <= 1
    return names[0] if names else timing(arrival, dt.datetime.fromisoformat(event["ts"]))


def timing(arrival: dt.date, when: dt.datetime) -> str:
    if when.date() == arrival:
        return "clean"
    if when.date() < arrival:
        return "late"
    end = dt.datetime.combine(arrival + dt.timedelta(1), dt.time(), dt.UTC)
    return "skewed_within" if when - end <= dt.timedelta(minutes=10) else "skewed_beyond"


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationSummary]:
    out = tmp_path_factory.mktemp("clean")
    return out, simulate(options(), out)


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationSummary]:
    out = tmp_path_factory.mktemp("messy")
    return out, simulate(options(**MESS, new_fields=True), out)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("large")
    simulate(options(users=2000, days=42), out)
    return out


@pytest.fixture(scope="module")
def logs(large: Path) -> Path:
    """The large game's events as one Parquet file: user_id, d, type, amount."""
    return as_parquet(large)


def as_parquet(out: Path) -> Path:
    with duckdb.connect() as connection:
        connection.execute(f"""
            copy (
                select "user".id as user_id, ts[:10]::date as d, type, amount
                from read_json('{out}/source/*/*.jsonl.gz', format = 'newline_delimited',
                    columns = {{ts: 'VARCHAR', type: 'VARCHAR', amount: 'DOUBLE',
                        user: 'STRUCT(id VARCHAR)'}})
            ) to '{out}/events.parquet'
        """)
    return out / "events.parquet"


class TestFiles:
    def test_the_same_seed_gives_the_same_bytes_with_any_number_of_threads(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run, "LINES_A_FILE", 500)
        for threads in (1, 2, 5):
            monkeypatch.setattr(run, "THREADS", threads)
            simulate(options(**MESS, new_fields=True), tmp_path / str(threads))
        assert hashes(tmp_path / "1") == hashes(tmp_path / "2") == hashes(tmp_path / "5")

    def test_a_game_without_further_options_stays_the_same_for_ever(
        self, messy: tuple[Path, SimulationSummary]
    ) -> None:
        text = b"".join(line + b"\n" for _, line in lines(messy[0]))
        assert hashlib.sha256(text).hexdigest() == PINNED

    def test_another_seed_gives_another_game(
        self, tmp_path: Path, clean: tuple[Path, SimulationSummary]
    ) -> None:
        simulate(options(seed=4), tmp_path)
        assert hashes(tmp_path).keys() == hashes(clean[0]).keys()
        assert not hashes(tmp_path).items() & hashes(clean[0]).items()

    def test_more_days_only_add_days(
        self, tmp_path: Path, clean: tuple[Path, SimulationSummary]
    ) -> None:
        simulate(options(days=50), tmp_path)
        shorter = hashes(clean[0])
        del shorter["game.yaml"]  # it names the last day
        assert shorter.items() <= hashes(tmp_path).items()

    def test_the_game_file_is_accepted_and_describes_the_logs(
        self, clean: tuple[Path, SimulationSummary]
    ) -> None:
        game = load_game(clean[0] / "game.yaml")
        assert (game.first_day, game.last_day) == (START, START + dt.timedelta(9))
        assert (game.active_days, game.horizons.churn, game.horizons.payment) == (14, 7, 7)
        assert set(game.events.counted) < KNOWN_TYPES

    def test_a_day_on_which_nobody_plays_is_not_a_missing_day(self, tmp_path: Path) -> None:
        summary = simulate(options(users=1, days=4), tmp_path)
        assert len(list((tmp_path / "source").glob("*/events-000.jsonl.gz"))) == 4
        assert len(lines(tmp_path)) == summary.lines

    def test_a_folder_that_already_holds_a_game_is_refused(
        self, clean: tuple[Path, SimulationSummary]
    ) -> None:
        with pytest.raises(ValueError, match=r"out: found .*source; a folder without it"):
            simulate(options(), clean[0])

    def test_progress_is_reported_after_each_day(self, tmp_path: Path) -> None:
        reported: list[int] = []
        simulate(options(users=5, days=4), tmp_path, reported.append)
        assert reported == [1, 2, 3, 4]

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_days(self, tmp_path: Path) -> None:
        def measure_peak(days: int, folder: Path) -> int:
            tracemalloc.start()
            simulate(options(users=200, days=days, late=0.1), folder)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            return peak

        simulate(options(), tmp_path / "fills the caches")
        # By then all accounts have installed. Other threads of the process can only add.
        peaks = [
            min(measure_peak(days, tmp_path / f"{days} {attempt}") for attempt in range(2))
            for days in (120, 240)
        ]
        assert peaks[1] < 1.2 * peaks[0], peaks


class TestLines:
    def test_every_clean_line_has_the_fields_of_its_type(
        self, clean: tuple[Path, SimulationSummary]
    ) -> None:
        rows = events(clean[0])
        assert {event["type"] for event in rows} == KNOWN_TYPES
        for event in rows:
            purchase = event["type"] == "purchase"
            keys = {"id", "ts", "type", "user", "props"}
            assert event.keys() == (keys | {"amount", "currency"} if purchase else keys)
            assert event["user"].keys() == {"id", "country", "channel", "level"}
            assert not purchase or (event["amount"] in PRICES and event["currency"] == "USD")
            if event["type"] == "session_start":
                assert 0 < event["props"]["minutes"] <= 180

    def test_clean_lines_arrive_on_their_day_in_order_with_ids_of_their_own(
        self, clean: tuple[Path, SimulationSummary]
    ) -> None:
        out, summary = clean
        rows = events(out)
        assert [flaw(*line) for line in lines(out)] == ["clean"] * summary.lines
        assert [event["ts"] for event in rows] == sorted(event["ts"] for event in rows)
        assert len({event["id"] for event in rows}) == summary.lines == summary.events

    def test_a_level_never_falls_and_rises_by_a_level_up(
        self, clean: tuple[Path, SimulationSummary]
    ) -> None:
        level: dict[str, int] = {}
        for event in events(clean[0]):
            user = event["user"]
            assert user["level"] >= level.get(user["id"], 0)
            if event["type"] == "level_up":
                assert user["level"] > 1
            level[user["id"]] = user["level"]
        assert max(level.values()) > 10

    def test_a_user_keeps_country_and_channel(self, clean: tuple[Path, SimulationSummary]) -> None:
        users = [event["user"] for event in events(clean[0])]
        facts = {(user["id"], user["country"], user["channel"]) for user in users}
        assert len(facts) == len({user["id"] for user in users})


class TestMess:
    def test_each_kind_of_mess_is_counted_as_it_stands_in_the_files(
        self, messy: tuple[Path, SimulationSummary]
    ) -> None:
        out, summary = messy
        unique = Counter(line for _, line in lines(out))
        counts = Counter(flaw(arrival, line) for arrival, line in lines(out))
        counts["duplicates"] = sum(count - 1 for count in unique.values())
        counts["new_fields"] = sum(b'"app":' in line for _, line in lines(out))
        assert max(unique.values()) == 2
        assert all(count > 50 for count in counts.values())
        del counts["clean"]
        assert counts == {key: getattr(summary.injected, key) for key in counts}

    def test_as_many_events_are_hit_as_were_asked_for(
        self, messy: tuple[Path, SimulationSummary]
    ) -> None:
        events, hit = messy[1].events, messy[1].injected
        skewed = hit.skewed_within + hit.skewed_beyond
        for count in (hit.late + hit.in_transit, skewed, hit.duplicates, hit.broken):
            assert abs(count - 0.05 * events) < 5 * np.sqrt(0.05 * events)

    def test_a_duplicate_arrives_on_the_same_day(
        self, messy: tuple[Path, SimulationSummary]
    ) -> None:
        same_day = Counter(lines(messy[0]))
        twice = sum(count == 2 for count in same_day.values())
        assert twice == messy[1].injected.duplicates

    def test_late_events_arrive_one_to_three_days_later(
        self, messy: tuple[Path, SimulationSummary]
    ) -> None:
        delays = Counter(
            (arrival - dt.date.fromisoformat(json.loads(line)["ts"][:10])).days
            for arrival, line in lines(messy[0])
            if flaw(arrival, line) == "late"
        )
        assert delays.keys() == {1, 2, 3}

    def test_mess_leaves_the_game_and_its_truth_as_they_are(
        self, clean: tuple[Path, SimulationSummary], messy: tuple[Path, SimulationSummary]
    ) -> None:
        truths = [
            {path: sha for path, sha in hashes(out).items() if path.startswith("truth")}
            for out in (clean[0], messy[0])
        ]
        assert truths[0] == truths[1]
        assert clean[1].events == messy[1].events

    def test_without_bad_and_double_lines_only_the_clean_game_is_left(
        self, tmp_path: Path, clean: tuple[Path, SimulationSummary]
    ) -> None:
        simulate(options(**ADDED), tmp_path)
        good = {(day, line) for day, line in lines(tmp_path) if flaw(day, line) == "clean"}
        assert good == set(lines(clean[0]))

    def test_late_events_arrive_unchanged_or_are_in_transit(
        self, tmp_path: Path, clean: tuple[Path, SimulationSummary]
    ) -> None:
        summary = simulate(options(late=0.3), tmp_path)
        arrived = {line for _, line in lines(tmp_path)}
        sent = {line for _, line in lines(clean[0])}
        assert arrived < sent
        assert len(sent - arrived) == summary.injected.in_transit

    def test_a_missing_day_has_no_folder_and_loses_what_would_have_arrived(
        self, tmp_path: Path, clean: tuple[Path, SimulationSummary]
    ) -> None:
        missing = START + dt.timedelta(4)
        summary = simulate(options(missing_days=(missing,)), tmp_path)
        lost = [line for line in lines(clean[0]) if line[0] == missing]
        assert lines(tmp_path) == [line for line in lines(clean[0]) if line[0] != missing]
        assert not (tmp_path / "source" / f"dt={missing}").exists()
        assert (tmp_path / "truth" / f"dt={missing}.parquet").exists()
        assert (summary.injected.missing_days, summary.injected.lost) == (1, len(lost))

    def test_new_fields_come_with_the_middle_of_the_simulation(self, tmp_path: Path) -> None:
        simulate(options(new_fields=True), tmp_path)
        for arrival, line in lines(tmp_path):
            assert ("app" in json.loads(line)) == (arrival >= START + dt.timedelta(5))

    @pytest.mark.slow
    @settings(max_examples=15)
    @given(
        shares=st.lists(st.sampled_from([0.0, 0.02, 0.2]), min_size=5, max_size=5),
        missing=st.sets(st.integers(0, 5)),
        new_fields=st.booleans(),
    )
    def test_every_line_is_accounted_for(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        shares: list[float],
        missing: set[int],
        new_fields: bool,
    ) -> None:
        out = tmp_path_factory.mktemp("any")
        days = tuple(START + dt.timedelta(day) for day in missing)
        mess = dict(zip(MESS, shares, strict=True))
        simulation_options = options(
            users=40, days=6, **mess, missing_days=days, new_fields=new_fields
        )
        summary = simulate(simulation_options, out)
        injected = summary.injected
        added = injected.duplicates + injected.unknown_types + injected.broken
        assert len(lines(out)) == summary.lines
        assert summary.lines == summary.events + added - injected.lost - injected.in_transit
        assert len(list((out / "source").iterdir())) == 6 - injected.missing_days


class TestWorld:
    @pytest.mark.slow
    def test_few_users_bring_most_of_the_revenue(self, logs: Path) -> None:
        spend = column(
            logs, "select coalesce(sum(amount), 0) from events group by user_id order by 1"
        )
        assert np.mean(spend > 0) < 0.5
        assert spend[-len(spend) // 50 :].sum() > 0.4 * spend.sum()

    def test_play_is_heavy_tailed(self, logs: Path) -> None:
        played = column(logs, "select count(*) from events group by user_id")
        assert played.mean() > 2 * np.median(played)

    def test_weekends_and_content_updates_bring_players(self, logs: Path) -> None:
        daily = column(logs, "select count(distinct user_id) from events group by d order by d")
        updates = build_world(options(users=2000, days=42)).updates
        update = min(day for day in updates if day >= 7)
        assert daily[update] > 1.1 * daily[update - 7]
        weekend = [(START + dt.timedelta(day)).weekday() >= 5 for day in range(update)]
        assert daily[:update][weekend].mean() > 1.05 * daily[:update][np.invert(weekend)].mean()

    def test_users_install_all_along(self, logs: Path) -> None:
        first_days = column(logs, "select min(d) - date '2026-01-01' from events group by user_id")
        newcomers = np.bincount(first_days.astype(int), minlength=42)
        assert newcomers[14:].min() > 0
        assert newcomers[14:].sum() < newcomers[:14].sum()


class TestGroups:
    @pytest.fixture
    def world(self) -> World:
        return build_world(options(users=20_000, days=42, groups_differ=True))

    def test_much_play_is_a_good_sign_in_one_country_and_a_bad_one_in_another(
        self, world: World
    ) -> None:
        assert rank_correlation(world, "KR", world.sessions, world.leave) < -0.3
        assert rank_correlation(world, "US", world.sessions, world.leave) > 0.3

    def test_a_week_without_play_is_usual_in_some_countries_only(self, world: World) -> None:
        week = [world.law(day).plays[world.installed < 0] for day in range(20, 27)]
        gathered = np.max(week, axis=0) / np.sum(week, axis=0)
        country = world.country[world.installed < 0]
        weekly = {name: np.median(gathered[country == n]) for n, name in enumerate(COUNTRIES)}
        assert weekly["JP"] > 0.5
        assert weekly["TW"] > 0.5
        assert max(weekly["KR"], weekly["US"], weekly["TH"]) < 0.25

    def test_those_with_a_pass_buy_when_their_month_begins(self, world: World) -> None:
        law = world.law(56)
        begins = (56 - world.installed) % 28 < 3
        for name, factor in {"US": 160, "KR": 1}.items():
            is_inhabitant = world.country == list(COUNTRIES).index(name)
            often = (law.buys / world.buys)[is_inhabitant]
            assert often[begins[is_inhabitant]].mean() == pytest.approx(
                factor * often[~begins[is_inhabitant]].mean()
            )

    def test_an_update_drives_away_in_some_countries(self, world: World) -> None:
        day = next(int(update) for update in world.updates if update >= 14)
        for name, welcome in {"TH": False, "KR": True}.items():
            is_inhabitant = (world.country == list(COUNTRIES).index(name)) & (world.installed < 0)
            on_the_day, a_week_before = (
                world.law(day).plays[is_inhabitant],
                world.law(day - 7).plays[is_inhabitant],
            )
            assert (on_the_day.mean() > a_week_before.mean()) == welcome


class TestChange:
    def test_the_days_before_are_the_same(
        self, tmp_path: Path, clean: tuple[Path, SimulationSummary]
    ) -> None:
        simulate(options(changed_from=START + dt.timedelta(8)), tmp_path)
        before, after = hashes(clean[0]), hashes(tmp_path)
        same = {path for path in before if before[path] == after[path]}
        days = {path for path in before if path.startswith("source") and path[7:] < "dt=2026-01-09"}
        assert days <= same
        assert not any("2026-01-09" in path or "2026-01-10" in path for path in same)

    def test_from_then_on_those_who_were_safe_leave_and_those_who_play_little_buy(self) -> None:
        day = START + dt.timedelta(20)
        world = build_world(options(users=5000, days=42, changed_from=day))
        before, after = world.law(19), world.law(20)
        old = world.installed < -30
        safe = old & (before.leaves < np.quantile(before.leaves[old], 0.1))
        assert (after.leaves[safe] / before.leaves[safe]).mean() > 5
        play = np.log(world.sessions)
        assert np.corrcoef(play, np.log(before.buys))[0, 1] > 0.2
        assert np.corrcoef(play, np.log(after.buys))[0, 1] < -0.5

    def test_from_then_on_the_weekend_is_what_working_days_were(self) -> None:
        friday = START + dt.timedelta(22)
        world = build_world(options(users=5000, days=42, changed_from=friday))
        casual = (world.player_type == 0) & (world.installed < 0)
        saturdays = [world.law(day).plays[casual].mean() for day in (16, 23)]
        mondays = [world.law(day).plays[casual].mean() for day in (18, 25)]
        assert saturdays[0] > mondays[0]
        assert saturdays[1] < mondays[1]


class TestTruth:
    @pytest.mark.slow
    @pytest.mark.parametrize("game", OTHER_GAMES)
    def test_it_is_calibrated_for_the_other_games_too(self, game: str) -> None:
        world = build_world(options(users=5000, days=42, **OTHER_GAMES[game]))
        for expected, happened in predicted_and_happened(world):
            assert_calibrated(expected, happened)
            assert 0.65 < roc_auc_score(happened, expected) < 0.97

    @pytest.mark.parametrize(
        ("probability", "event_type", "happens"),
        [("churn_probability", "session_start", False), ("payment_probability", "purchase", True)],
    )
    def test_it_is_calibrated_and_not_all_knowing(
        self,
        large: Path,
        logs: Path,
        probability: str,
        event_type: str,
        happens: bool,
    ) -> None:
        expected, happened = expected_and_observed(large, logs, probability, event_type, happens)
        assert_calibrated(expected, happened)
        assert 0.75 < roc_auc_score(happened, expected) < 0.97

    @pytest.mark.parametrize(
        "game", [{}, {"groups_differ": True}, {"changed_from": START + dt.timedelta(5)}]
    )
    @pytest.mark.parametrize("is_offered", [False, True])
    def test_it_equals_the_sum_over_all_hidden_paths(
        self, game: dict[str, Any], is_offered: bool
    ) -> None:
        world = build_world(options(users=6, **game))
        oracle = Oracle(world, horizon=3, active_days=14)
        offers = Offers(*np.full((2, 6), fill_value=True)) if is_offered else None
        laws = [world.respond(world.law(day), offers) for day in range(7)]
        was_seen = np.random.default_rng(0).random((4, 6)) < 0.4
        # A newcomer is active on the first day for certain, and cannot be before.
        was_seen |= world.installed == np.arange(4)[:, None]
        was_seen &= world.installed <= np.arange(4)[:, None]
        for day in range(4):
            oracle.observe(np.flatnonzero(was_seen[day]), offers)
        active = [law.plays for law in laws]
        paying = [law.plays for law in laws[:4]] + [law.pays for law in laws[4:]]
        nothing = np.vstack([was_seen, np.zeros((3, 6), bool)])
        so_far = summed_over_paths(world.playing_at_first, laws[:4], active, was_seen)
        no_activity = summed_over_paths(world.playing_at_first, laws, active, nothing)
        no_purchase = summed_over_paths(world.playing_at_first, laws, paying, nothing)
        assert oracle.churn(offers) == pytest.approx(no_activity / so_far)
        assert oracle.payment(offers) == pytest.approx(1 - no_purchase / so_far)

    def test_it_speaks_of_the_users_seen_in_the_active_days(self, large: Path, logs: Path) -> None:
        day = START + dt.timedelta(20)
        users = pq.read_table(large / "truth" / f"dt={day}.parquet")["user_id"].to_pylist()
        query = f"select distinct user_id from events where d > date '{day}' - 14 and d <= '{day}'"
        assert set(users) == set(column(logs, query))


class TestOptions:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"users": 0}, "users: found 0; a whole number from 1 to 10000000 is accepted"),
            ({"days": -1}, "days: found -1; a whole number from 1 to 3650 is accepted"),
            ({"seed": -5}, "seed: found -5; a whole number from 0 to"),
            ({"start": dt.date(1, 1, 1)}, "start: found 0001-01-01; 2000-01-01 to 2100-12-31"),
            ({"late": 1.5}, "late: found 1.5; a share from 0 to 1 is accepted"),
            ({"broken": float("nan")}, "broken: found nan; a share from 0 to 1 is accepted"),
            ({"broken": 0.7, "late": 0.7}, "late .*broken: found 1.4; up to 1 is accepted"),
            (
                {"missing_days": (dt.date(2026, 1, 11),)},
                "missing_days: found 2026-01-11; 10 days from 2026-01-01 on are accepted",
            ),
            (
                {"changed_from": dt.date(2025, 12, 31)},
                "changed_from: found 2025-12-31; 10 days from 2026-01-01 on are accepted",
            ),
        ],
    )
    def test_a_mistake_is_told_with_what_is_accepted(
        self, changes: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            options(**changes)

    def test_all_mistakes_are_told_at_once(self) -> None:
        with pytest.raises(ValueError, match=r"users: .*\n.*days: .*\n.*skewed: "):
            options(users=0, days=0, skewed=2)


def column(logs: Path, query: str) -> npt.NDArray[Any]:
    """First column of a query over `events`."""
    with duckdb.connect() as connection:
        connection.execute(f"create view events as from '{logs}'")
        return np.array([row[0] for row in connection.execute(query).fetchall()])


def rank_correlation(world: World, country: str, fact: Numbers, other: Numbers) -> float:
    """Spearman's, of two facts of the users of a country."""
    is_inhabitant = world.country == list(COUNTRIES).index(country)
    first, second = (np.argsort(np.argsort(values[is_inhabitant])) for values in (fact, other))
    return float(np.corrcoef(first, second)[0, 1])


def assert_calibrated(expected: Numbers, happened: npt.NDArray[np.bool_]) -> None:
    """In each decile of the probabilities the event is as frequent as expected, within noise."""
    for decile in np.array_split(np.argsort(expected), 10):
        spread = np.sqrt((expected[decile] * (1 - expected[decile])).sum())
        assert abs(happened[decile].sum() - expected[decile].sum()) < 4 * spread


def expected_and_observed(
    out: Path, logs: Path, probability: str, event_type: str, happens: bool
) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Probabilities of the truth on days a horizon apart, and whether the event happened."""
    visits = column(
        logs, f"select distinct (d::text, user_id) from events where type = '{event_type}'"
    )
    days: dict[str, set[str]] = {}
    for day, user in visits:
        days.setdefault(user, set()).add(day)
    expected, happened = [], []
    for snapshot in (START + dt.timedelta(day) for day in SNAPSHOTS):
        coming = {str(snapshot + dt.timedelta(ahead)) for ahead in range(1, 8)}
        truth = pq.read_table(out / "truth" / f"dt={snapshot}.parquet")
        expected += truth[probability].to_pylist()
        users = truth["user_id"].to_pylist()
        happened += [bool(coming & days.get(user, set())) == happens for user in users]
    return np.array(expected), np.array(happened)


def predicted_and_happened(world: World) -> list[tuple[Numbers, npt.NDArray[np.bool_]]]:
    """The same for churn and payment of a game that is played without writing its logs."""
    game, oracle = SimulatedGame(world, seed=3), Oracle(world, HORIZON_DAYS, ACTIVE_DAYS)
    played, paid = np.zeros((2, 42, world.users), bool)
    predictions = {}
    for day in range(42):
        players, events = game.play(day, oracle.next_law())
        oracle.observe(players)
        played[day, players] = True
        paid[day, events["user"][events["type"] == EventType.PURCHASE]] = True
        if day in SNAPSHOTS:
            predictions[day] = oracle.active_users(), oracle.churn(), oracle.payment()
    expected: list[list[Numbers]] = [[], []]
    happened: list[list[Any]] = [[], []]
    for day, (users, *probabilities) in predictions.items():
        horizon = slice(day + 1, day + 1 + HORIZON_DAYS)
        came, bought = (days[horizon, users].any(axis=0) for days in (played, paid))
        for target, outcome in enumerate((~came, bought)):
            expected[target].append(probabilities[target][users])
            happened[target].append(outcome)
    return [
        (np.concatenate(expected[target]), np.concatenate(happened[target])) for target in (0, 1)
    ]


def summed_over_paths(
    playing_at_first: Numbers,
    laws: list[Law],
    sigmoid: list[Numbers],
    was_seen: npt.NDArray[np.bool_],
) -> Numbers:
    """P(what was seen) of each user, over every path of playing and gone there is.

    `chances` says how probable it was to be seen on each day while playing.
    """
    total = np.zeros_like(playing_at_first)
    for path in itertools.product([True, False], repeat=len(laws) + 1):
        weight = playing_at_first if path[0] else 1 - playing_at_first
        days = zip(laws, path[:-1], path[1:], sigmoid, was_seen, strict=False)
        for law, before, playing, chance, here in days:
            stays = 1 - law.leaves if before else law.returns
            weight = weight * (stays if playing else 1 - stays)
            shown = chance if playing else np.zeros_like(chance)
            weight = weight * np.where(here, shown, 1 - shown)
        total = total + weight
    return total
