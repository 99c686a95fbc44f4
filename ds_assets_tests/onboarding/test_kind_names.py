"""Kinds of files are recognized by the outermost name in which they differ."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.game_parts import IDENTIFIER
from ds_assets.onboarding.kind_names import find_patterns, name_in_lake, name_kinds
from ds_assets.onboarding.layouts import Layout


@pytest.mark.parametrize(
    ("first", "second", "patterns"),
    [
        (["a/2026-02-01.csv", "a/2026-02-02.csv"], ["b/2026-02-01.csv"], ["a/*", "b/*"]),
        (["sessions.csv"], ["purchases.csv"], ["sessions*", "purchases*"]),
        (["s_20260201.csv", "s_20260202.csv"], ["p_20260201.csv"], ["s_*", "p_*"]),
        (["part-0.jsonl.gz", "part-1.jsonl.gz"], ["part-0.csv"], ["*.jsonl.gz", "*.csv"]),
        (["7/a/1.csv", "8/a/1.csv"], ["7/b/1.csv"], ["*/a/*", "*/b/*"]),
        (["events.csv"], ["events_paid.csv"], ["events.csv", "events_paid*"]),
        (["a[1]/x.csv"], ["b/x.csv"], ["a[[]*]/*", "b/*"]),
    ],
)
def test_a_pattern_fits_the_names_of_its_kind_alone(
    first: list[str], second: list[str], patterns: list[str]
) -> None:
    assert find_patterns([first, second]) == patterns


def test_names_that_do_not_differ_have_no_pattern() -> None:
    assert find_patterns([["part-1.csv"], ["part-2.csv"]]) is None
    assert find_patterns([["a.csv", "b.csv"], ["c.csv"]]) is None


NAMES = st.lists(st.text("ab/[*?-.1", min_size=1, max_size=8), min_size=1, max_size=4)


@given(NAMES, NAMES)
def test_every_pattern_tells_its_names_from_the_others(first: list[str], second: list[str]) -> None:
    for pattern, own, others in zip(
        find_patterns([first, second]) or [], (first, second), (second, first), strict=False
    ):
        assert all(fnmatchcase(name, pattern) for name in own)
        assert not any(fnmatchcase(name, pattern) for name in others)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4))
def test_kinds_have_plain_names_of_their_own(patterns: list[str]) -> None:
    names = name_kinds(patterns)
    assert len(set(names)) == len(patterns)
    assert all(map(IDENTIFIER.fullmatch, names))


def test_kinds_have_the_names_of_their_files() -> None:
    assert name_kinds(["PlayerSessions/*", "*/a/*", "*.csv", "1*"]) == [
        *("player_sessions", "a", "csv", "kind_4")
    ]


@pytest.mark.parametrize(
    ("path", "layout", "name"),
    [
        ("logs/a/dt=2026-02-01/x.csv", "logs/*/dt=%Y-%m-%d", "a/dt=2026-02-01/x.csv"),
        ("2026/02/01/a/x.csv", "%Y/%m/%d", "a/x.csv"),
        ("2026-02-01.csv", "%Y-%m-%d.csv", "2026-02-01.csv"),
        ("all/a.csv.zst", None, "all/a.csv.gz"),
    ],
)
def test_a_file_has_the_name_that_it_gets_in_the_lake(
    path: str, layout: str | None, name: str
) -> None:
    days = Layout(layout, (), {}) if layout else None
    assert name_in_lake(path, days, "csv") == name
