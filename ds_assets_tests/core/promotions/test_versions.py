import datetime as dt
from typing import Any

import pandas as pd

from ds_assets.core.contracts import conform
from ds_assets.core.promotions.versions import KEPT_DAYS, terms_by_version, versions_on
from ds_assets.core.promotions.waves import Terms
from ds_assets.core.tables import PROMOTION_OUTCOMES
from ds_assets_tests.core.promotions.days import date

CURRENT = {("bundle", "v1")}


def rows_of(number: int, **values: Any) -> pd.DataFrame:
    """Rows of a day of 100 users in each arm, half of them churned."""
    row = {
        "as_of": date(number),
        "promotion": "bundle",
        "version": "v1",
        "segment": "all",
        "outcome": "churn",
        "users": 100,
        "mean": 0.5,
        "variance": 0.25,
        "covariate_mean": 0.0,
        "covariate_variance": 0.0,
        "covariance": 0.0,
        "target": "churn",
        "detects": 0.1,
        "share": 0.5,
        "ends": None,
    }
    arms = [{**row, "arm": arm, **values} for arm in ("treated", "control")]
    frame = pd.DataFrame(arms, columns=PROMOTION_OUTCOMES.names)
    conform(PROMOTION_OUTCOMES, frame)
    return frame


def stored(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def test_a_version_has_come_as_far_as_its_days_say() -> None:
    days = stored(*(rows_of(number) for number in range(5)))
    (early,) = versions_on(date(0), days, CURRENT)
    (late,) = versions_on(date(4), days, CURRENT)
    assert early.progress.open is not None
    assert early.progress.open.users == 200
    assert late.progress.over is not None
    assert late.progress.over.last == date(3)


def test_versions_do_not_mix() -> None:
    days = stored(rows_of(0), rows_of(1, version="v2"))
    versions = {it.name: it for it in versions_on(date(1), days, {("bundle", "v2")})}
    assert versions["v1"].progress.over is not None
    assert versions["v2"].progress.open is not None
    assert versions["v2"].progress.open.users == 200


def test_a_version_that_ended_long_ago_is_no_longer_reported() -> None:
    last = date(0) + dt.timedelta(days=KEPT_DAYS)
    assert list(versions_on(last, rows_of(0), set()))
    assert not list(versions_on(last + dt.timedelta(days=1), rows_of(0), set()))
    assert list(versions_on(last + dt.timedelta(days=1), rows_of(0), CURRENT))


def test_the_terms_of_a_version_are_the_latest_ones() -> None:
    days = stored(rows_of(0, ends=date(3)), rows_of(1, ends=date(9), share=None))
    assert terms_by_version(days) == {("bundle", "v1"): Terms("churn", 0.1, {}, date(9))}
    shares = {"treated": 0.5, "control": 0.5}
    assert terms_by_version(rows_of(0)) == {("bundle", "v1"): Terms("churn", 0.1, shares)}
