import numpy as np
import pandas as pd
import pytest

from ds_assets.core.promotions.effects import compare, mean_of
from ds_assets.core.promotions.moments import Cell, add, cells_of, summarize

COVARIATES = {"churn": "churn_probability", "active": "churn_probability", "cost": None}


def users_of(count: int = 200, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    probability = rng.random(count)
    return pd.DataFrame(
        {
            "arm": rng.choice(["treated", "control"], count),
            "cluster": rng.choice([1.0, 2.0, np.nan], count),
            "user_group": pd.Series(rng.choice(["country=KR", "country=JP", ""], count)).replace(
                "", None
            ),
            "churn": rng.random(count) < probability,
            "active": rng.random(count) > probability,
            "cost": 0.5,
            "churn_probability": probability,
        }
    )


def test_each_arm_has_the_means_of_its_users_in_each_segment() -> None:
    users = users_of()
    rows = summarize(users, COVARIATES).set_index(["segment", "arm", "outcome"])
    treated = users[users["arm"] == "treated"]
    for segment, chosen in {
        "all": treated,
        "cluster=1": treated[treated["cluster"] == 1],
        "country=KR": treated[treated["user_group"] == "country=KR"],
    }.items():
        row = rows.xs((segment, "treated", "churn"))
        assert row["users"] == len(chosen)
        assert row["mean"] == pytest.approx(chosen["churn"].mean())
        assert row["variance"] == pytest.approx(chosen["churn"].astype(float).var())
        covariance = np.cov(chosen["churn"].astype(float), chosen["churn_probability"])
        assert row["covariance"] == pytest.approx(covariance[0, 1])


def test_user_groups_that_are_clusters_count_once() -> None:
    users = users_of().assign(user_group=lambda it: "cluster=" + it["cluster"].map("{:.0f}".format))
    users.loc[users["cluster"].isna(), "user_group"] = None
    rows = summarize(users, COVARIATES)
    assert {*rows["segment"]} == {"all", "cluster=1", "cluster=2"}
    counts = rows[(rows["outcome"] == "churn") & (rows["segment"] != "all")]["users"]
    assert counts.sum() == users["cluster"].notna().sum()


def test_users_without_clusters_and_groups_are_in_all_only() -> None:
    users = users_of().assign(cluster=np.nan, user_group=None)
    assert {*summarize(users, COVARIATES)["segment"]} == {"all"}


def test_a_user_without_a_prediction_counts_and_favours_no_arm() -> None:
    users = users_of()
    lacking = users.assign(churn_probability=users["churn_probability"].where(users.index > 50))
    rows = summarize(lacking, COVARIATES)
    assert rows["users"].max() == summarize(users, COVARIATES)["users"].max()
    assert not rows.isna().to_numpy().any()
    mean = lacking["churn_probability"].mean()
    filled = users.assign(churn_probability=lacking["churn_probability"].fillna(mean))
    pd.testing.assert_frame_equal(rows, summarize(filled, COVARIATES))


def test_without_any_prediction_outcomes_are_compared_as_they_are() -> None:
    cells = cells_of(summarize(users_of().assign(churn_probability=np.nan), COVARIATES))
    effect = compare(*(cells[Cell("all", arm, "churn")] for arm in ("treated", "control")))
    assert effect.value == pytest.approx(effect.treated - effect.control)


def test_a_single_user_has_no_variance() -> None:
    rows = summarize(users_of(1), COVARIATES)
    assert (rows[["variance", "covariate_variance", "covariance"]] == 0).all(axis=None)


def test_moments_of_two_days_add_up() -> None:
    first, second = users_of(150, 1), users_of(90, 2)
    total = add(cells_of(summarize(first, COVARIATES)), cells_of(summarize(second, COVARIATES)))
    both = cells_of(summarize(pd.concat([first, second], ignore_index=True), COVARIATES))
    assert total.keys() == both.keys()
    for cell, moments in total.items():
        assert moments.count() == both[cell].count()
        assert mean_of(moments) == pytest.approx(mean_of(both[cell]))
