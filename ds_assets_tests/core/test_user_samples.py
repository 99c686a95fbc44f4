import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds_assets.core.user_samples import are_sampled, hash_users, sample_condition
from ds_assets.infra.engines.base import LakeEngine
from ds_assets.infra.engines.duckdb import open_duckdb

USERS = [f"u{number}" for number in range(2_000)]
ODD = ["", "0", "한국", "a'b", "😀" * 50]
ids = st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True)
shares = st.floats(0, 1, exclude_min=True)


def test_the_hash_is_the_beginning_of_the_digest() -> None:
    (value,) = hash_users(["ä"])
    assert f"{value:016x}" == hashlib.md5("ä".encode(), usedforsecurity=False).hexdigest()[:16]
    assert hash_users([]).shape == (0,)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.75])
def test_a_sample_has_about_its_share_of_the_users(share: float) -> None:
    assert are_sampled(USERS, share).mean() == pytest.approx(share, abs=0.04)


@given(ids, shares, shares)
def test_a_smaller_sample_is_part_of_a_larger_one(
    users: list[str], first: float, second: float
) -> None:
    smaller, larger = (are_sampled(users, share) for share in sorted([first, second]))
    assert (smaller <= larger).all()


@given(ids, shares)
def test_whether_a_user_is_sampled_depends_on_nobody_else(users: list[str], share: float) -> None:
    alone = [bool(are_sampled([user], share)[0]) for user in users]
    assert are_sampled(users, share).tolist() == alone


def test_the_sample_of_everybody_is_everybody() -> None:
    assert are_sampled(iter(USERS), 1.0).all()
    assert are_sampled(USERS, 7.5).all()


@pytest.mark.parametrize("share", [1e-30, 0.001, 0.11, 0.5, 0.9999999])
def test_engines_draw_the_same_sample(share: float, engine: LakeEngine) -> None:
    users = [*USERS[:300], *ODD]
    with engine.values([(user,) for user in users], "user_id string") as frame:
        kept = engine.to_pandas(frame.where(sample_condition(share)))
    expected = np.array(users, dtype=object)[are_sampled(users, share)]
    assert sorted(kept["user_id"]) == sorted(expected)


def test_a_digest_at_the_edge_is_in_the_sample_of_every_engine() -> None:
    (edge,) = hash_users(["u7"])
    share = (int(edge) + 1) / 2**64
    engine = open_duckdb(512, 2)
    with engine.values([("u7",)], "user_id string") as frame:
        kept = engine.to_pandas(frame.where(sample_condition(share)))
    assert len(kept) == are_sampled(["u7"], share).sum()
