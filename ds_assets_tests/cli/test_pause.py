"""`ds-assets pause`, `withdraw` and `resume`, and what `ds-assets status` says of them."""

import datetime as dt
from pathlib import Path

import pytest

from ds_assets.cli.standing import read_status
from ds_assets_tests.assets.factories import Installation, event, make_installation
from ds_assets_tests.assets.factories import day as day_of
from ds_assets_tests.cli.test_main import Shell, shell

__all__ = ["shell"]

NOW = dt.datetime(2026, 1, 6, 12, tzinfo=dt.UTC)
BUNDLE = {"bundle": {"who": "churn_probability > 0.4"}}


def promote(home: Path, **promotions: object) -> Installation:
    installation = make_installation(home, last_day="2026-01-05", promotions=promotions or BUNDLE)
    installation.write_logs(day_of(0), event(0, f"{day_of(0)}T10:00:00Z"))
    return installation


@pytest.mark.slow
def test_a_promotion_is_paused_and_resumed_with_its_reason(shell: Shell) -> None:
    installation = promote(shell.home)
    code, out, _ = shell("pause", "bundle", "--reason", "the price is wrong")
    assert (code, out.split(" is ")[0]) == (0, "bundle")
    assert "the price is wrong. `ds-assets resume bundle` continues it; " in out
    status = read_status(installation.installed, NOW)
    assert status.promotions["bundle"].startswith("paused, by ")
    assert not any("bundle" in text for text in status.attention)
    code, out, _ = shell("resume", "bundle")
    assert code == 0
    assert out.endswith("It assigns users from the next day on.\n")
    assert read_status(installation.installed, NOW).promotions == {"bundle": "runs"}


def test_a_promotion_is_withdrawn_with_its_reason(shell: Shell) -> None:
    installation = promote(shell.home)
    code, out, _ = shell("withdraw", "bundle", "--reason", "it crashes")
    assert (code, out.split(" by ")[0]) == (0, "bundle is withdrawn")
    assert "it crashes. `ds-assets resume bundle` assigns it again." in out
    assert "The cache has no offers of it." in out
    status = read_status(installation.installed, NOW)
    assert status.promotions["bundle"].startswith("withdrawn, by ")
    code, _, err = shell("withdraw", "bundle", "--reason", " ")
    assert (code, "a reason is required" in err) == (2, True)


def test_a_mistake_is_one_sentence(shell: Shell) -> None:
    promote(shell.home)
    code, _, err = shell("pause", "joy", "--reason", "why")
    assert (code, "the promotions of game.yaml are: bundle" in err) == (2, True)
    code, _, err = shell("pause", "bundle", "--reason", " ")
    assert (code, "a reason is required" in err) == (2, True)


def test_a_promotion_that_is_stopped_by_itself_needs_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    installation = promote(tmp_path / "home", listed={"assigned_by": "gone.csv"})
    status = read_status(installation.installed, NOW)
    (text,) = [it for it in status.attention if "listed" in it]
    assert text.startswith("the promotion listed is stopped: there is no file ")
