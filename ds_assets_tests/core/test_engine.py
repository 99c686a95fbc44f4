"""Building queries: once for the same arguments, and without searching for garbage meanwhile."""

import gc
from collections.abc import Iterator

import pytest

from ds_assets.core.engine import pausing_garbage_collection, plan_once


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was_enabled else gc.disable)()


def test_a_frame_is_planned_once_without_garbage_collection() -> None:
    plans: list[bool] = []

    @plan_once
    def plan(frame: str) -> str:
        plans.append(gc.isenabled())
        return frame.upper()

    assert (plan("a"), plan("a"), plan("b")) == ("A", "A", "B")
    assert plans == [False, False]
    assert gc.isenabled()


def test_garbage_is_collected_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="no plan"), pausing_garbage_collection():
        raise ValueError("no plan")

    assert gc.isenabled()


def test_a_pause_within_a_pause_does_not_end_it() -> None:
    with pausing_garbage_collection():
        with pausing_garbage_collection():
            pass
        assert not gc.isenabled()
