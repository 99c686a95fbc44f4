"""Building queries: once for the same arguments, and without searching for garbage meanwhile."""

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ds_assets.core.engine import pausing_garbage_collection, plan_once


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was_enabled else gc.disable)()


class Builder:
    """An engine that builds what it is asked for."""

    def plan(self, build: Callable[..., str], arguments: tuple[Any, ...]) -> str:
        return build(*arguments)


def test_a_frame_is_planned_once() -> None:
    plans: list[str] = []

    @plan_once
    def plan(frame: str, engine: Builder) -> str:
        assert isinstance(engine, Builder)
        plans.append(frame)
        return frame.upper()

    engine = Builder()
    assert (plan("a", engine), plan("a", engine), plan("b", engine)) == ("A", "A", "B")
    assert plans == ["a", "b"]


def test_garbage_is_collected_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="no plan"), pausing_garbage_collection():
        raise ValueError("no plan")

    assert gc.isenabled()


def test_a_pause_within_a_pause_does_not_end_it() -> None:
    with pausing_garbage_collection():
        with pausing_garbage_collection():
            pass
        assert not gc.isenabled()
