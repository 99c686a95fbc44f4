"""Progress is one line per step, and one now and then for a step that takes long."""

import re
import time

import pytest

from ds_assets.cli import progress
from ds_assets.cli.progress import Progress

CLOCK = re.compile(r"^\d\d:\d\d:\d\d ")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""
    assert all(map(CLOCK.match, err.splitlines()))
    return [CLOCK.sub("", line) for line in err.splitlines()]


def test_each_step_is_a_line_with_its_end_and_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as shown:
        shown.report_step("raw_logs", "started")
        shown.report_step("raw_logs", "done")
        shown.report_step("user_activity", "started")
        shown.report_step("user_activity", "failed")
    assert [re.sub(r"\d+ s$", "", line) for line in lines(capsys)] == [
        "raw_logs done after ",
        "user_activity failed after ",
    ]


def test_a_step_that_takes_long_is_named_now_and_then(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REMINDER_SECONDS", 0.01)
    printed = ""
    with Progress() as shown:
        shown.report_step("user_activity", "started")
        while "user_activity is running for" not in printed:
            time.sleep(0.01)
            printed += capfd.readouterr().err
