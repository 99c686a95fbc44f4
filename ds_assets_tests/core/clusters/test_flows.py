import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.clusters.flows import flows, share_changed


def day(**clusters: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": pd.array(list(clusters), dtype="str"),
            "cluster": pd.array(list(clusters.values()), dtype="int64"),
        }
    )


def counts(before: pd.DataFrame, after: pd.DataFrame) -> dict[tuple[int | None, int | None], int]:
    rows = flows(before, after).astype(object).itertuples(index=False)
    return {(None if a is pd.NA else a, None if b is pd.NA else b): users for a, b, users in rows}


def test_users_who_stay_change_come_and_go_are_counted_apart() -> None:
    before = day(ann=1, bob=1, cid=2, dan=2)
    after = day(ann=1, bob=2, cid=2, eve=3)
    assert counts(before, after) == {(1, 1): 1, (1, 2): 1, (2, 2): 1, (2, None): 1, (None, 3): 1}
    assert share_changed(flows(before, after)) == 1 / 3


def test_days_without_a_user_in_common_have_no_share_that_changed() -> None:
    for before, after in ((day(ann=1), day(bob=1)), (day(), day(bob=1)), (day(), day())):
        assert share_changed(flows(before, after)) is None


clustered = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(1, 4)).map(
    lambda users: day(**users)
)


@given(clustered, clustered)
def test_whatever_the_days_users_add_up_on_both_sides(
    before: pd.DataFrame, after: pd.DataFrame
) -> None:
    counted = flows(before, after)
    for side, then in (("before", before), ("after", after)):
        sums = counted.dropna(subset=[side]).groupby(side)["users"].sum()
        assert sums.to_dict() == then.groupby("cluster").size().to_dict()
    assert counted["users"].sum() == len(set(before["user_id"]) | set(after["user_id"]))
    assert not (counted["before"].isna() & counted["after"].isna()).any()
    changed = share_changed(counted)
    assert changed is None or 0 <= changed <= 1


@given(clustered, clustered)
def test_the_order_of_rows_does_not_matter(before: pd.DataFrame, after: pd.DataFrame) -> None:
    turned = flows(before[::-1], after[::-1])
    pd.testing.assert_frame_equal(flows(before, after), turned)
