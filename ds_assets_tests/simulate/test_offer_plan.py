"""A plan says which users have offers in effect on which days."""

import datetime as dt
from pathlib import Path

import pytest

from ds_assets.simulate import OfferKind
from ds_assets.simulate.offer_plan import NO_OFFERS, read_offer_plan

HEADER = "user_id,offer,from,until"


def write(folder: Path, *lines: str) -> Path:
    file = folder / "offers.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_an_offer_is_in_effect_from_its_first_to_its_last_day(tmp_path: Path) -> None:
    plan = read_offer_plan(
        write(
            tmp_path,
            HEADER,
            "u1,retention,2026-01-02,2026-01-04",
            "u2,sale,2026-01-04,2026-01-04",
            "u1,sale,2026-01-04,2026-01-05",
        )
    )
    users = {day: plan.users_of(dt.date(2026, 1, day)) for day in range(1, 7)}
    assert [day for day in users if "u1" in users[day][OfferKind.RETENTION]] == [2, 3, 4]
    assert users[4][OfferKind.SALE] == {"u1", "u2"}
    assert not any(users[6].values())


def test_without_a_plan_nobody_has_an_offer() -> None:
    assert not any(NO_OFFERS.users_of(dt.date(2026, 1, 1)).values())


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ((), "is not a table"),
        (("user_id,offer,from",), "has no column until; user_id, offer, from, until are accepted"),
        (
            (HEADER, "u1,sale,2026-01-01,2026-01-02", "u1,gift,2026-01-01,2026-01-02"),
            "line 3: found 'gift' as offer; retention or sale is accepted",
        ),
        ((HEADER, "u1,sale,,2026-01-02"), "line 2: found '' as from; a day as 2026-01-31"),
        ((HEADER, "u1,sale,2026-01-02,soon"), "line 2: found 'soon' as until; a day as"),
    ],
)
def test_a_mistake_in_the_file_names_its_line(
    tmp_path: Path, lines: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ValueError, match="offers: ") as refused:
        read_offer_plan(write(tmp_path, *lines))
    assert sentence in str(refused.value)
