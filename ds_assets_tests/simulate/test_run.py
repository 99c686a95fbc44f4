"""A game is simulated day by day, with the offers that its caller decides on before each day."""

import datetime as dt
import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ds_assets.simulate import OfferKind, Simulation, SimulationOptions, simulate
from ds_assets.simulate.lines import user_ids

START = dt.date(2026, 1, 1)
DAYS = 8


def options(**changes: Any) -> SimulationOptions:
    return SimulationOptions(**{"users": 300, "days": DAYS, "start": START, **changes})


def read_files(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_day_by_day_without_offers_it_is_the_same_game(tmp_path: Path) -> None:
    simulate(options(late=0.1), tmp_path / "at once")
    with Simulation(options(late=0.1), tmp_path / "day by day") as simulation:
        for day in range(DAYS):
            assert simulation.next_day == START + dt.timedelta(day)
            simulation.run_day({OfferKind.SALE: ()})
    assert read_files(tmp_path / "at once") == read_files(tmp_path / "day by day")


def test_a_day_can_be_read_before_the_next_one_is_decided_on(tmp_path: Path) -> None:
    with Simulation(options(), tmp_path) as simulation:
        simulation.run_day()
        simulation.finish()
        text = gzip.decompress((tmp_path / f"source/dt={START}/events-000.jsonl.gz").read_bytes())
        assert text.count(b"\n") == simulation.summary(0.0).lines > 0
        assert (tmp_path / f"truth/dt={START}.parquet").exists()


def test_the_days_before_the_first_offer_are_the_same(tmp_path: Path) -> None:
    users = user_ids(300).to_pylist()
    simulate(options(), tmp_path / "without")
    for name in ("with", "again"):
        with Simulation(options(), tmp_path / name) as simulation:
            for day in range(DAYS):
                simulation.run_day({OfferKind.RETENTION: users} if day >= 4 else {})
    without, with_offers = (read_files(tmp_path / name) for name in ("without", "with"))
    assert with_offers == read_files(tmp_path / "again")
    same = {name for name, content in without.items() if with_offers[name] == content}
    changed = [f"dt={START + dt.timedelta(day)}" for day in range(4, DAYS)]
    assert same == {name for name in without if not any(day in name for day in changed)}


def test_the_truth_says_on_request_what_offers_would_change(tmp_path: Path) -> None:
    simulate(options(), tmp_path / "plain")
    simulate(options(effects=True), tmp_path / "effects")
    name = f"truth/dt={START + dt.timedelta(DAYS - 1)}.parquet"
    plain, extended = (pd.read_parquet(tmp_path / it / name) for it in ("plain", "effects"))
    pd.testing.assert_frame_equal(plain, extended[plain.columns])
    for kind in OfferKind:
        assert (extended[f"churn_probability_{kind}"] != extended["churn_probability"]).any()
    more = extended["payment_probability_sale"] > extended["payment_probability"] + 0.01
    assert (extended["expected_spend_sale"] > extended["expected_spend"])[more].all()
    assert more.any()


def test_more_days_than_the_game_has_are_refused(tmp_path: Path) -> None:
    with Simulation(options(days=1), tmp_path) as simulation:
        simulation.run_day()
        with pytest.raises(ValueError, match="days: found 2; up to 1 are accepted"):
            simulation.run_day()
