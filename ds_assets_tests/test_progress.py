"""Progress: bars of days in a terminal; else a line per step, and more for one that takes long."""

import io
import re
import time

import pytest
from rich.console import Console

from ds_assets import progress
from ds_assets.progress import open_progress
from ds_assets.runs import StepState

CLOCK = re.compile(r"^\d\d:\d\d:\d\d ")
CODE = re.compile(r"\x1b\[[^A-Za-z]*[A-Za-z]")
"""What moves the cursor of a terminal, and sets its colours."""


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""
    assert all(map(CLOCK.match, err.splitlines()))
    return [re.sub(r"\d+ s$", "", CLOCK.sub("", line)) for line in err.splitlines()]


def test_each_planned_step_is_a_line_with_its_end_and_its_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reports: list[tuple[str, StepState, int]] = [
        ("raw_logs", "started", 31),
        ("raw_logs", "done", 31),
        ("a_check", "started", 31),
        ("a_check", "done", 31),
        ("raw_logs", "started", 9),
        ("raw_logs", "done", 9),
        ("user_activity", "started", 9),
        ("user_activity", "failed", 9),
        ("another_check", "failed", 9),
    ]
    with open_progress() as shown:
        shown.plan(["raw_logs"], 40)
        shown.plan(["user_activity"], 9)
        for report in reports:
            shown.report_step(*report)
    assert lines(capsys) == [
        "raw_logs done for 31 of 40 days after ",
        "raw_logs done after ",
        "user_activity failed after ",
        "another_check failed",
    ]


def test_a_step_that_counts_its_days_is_a_line_when_all_are_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_progress() as shown, shown.tracking("logs", 3) as report:
        for days in range(1, 4):
            report(days)
    assert lines(capsys) == ["logs done after "]


def test_a_step_that_takes_long_is_named_now_and_then(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REMINDER_SECONDS", 0.01)
    printed = ""
    with open_progress() as shown:
        shown.plan(["user_activity"], 1)
        shown.report_step("user_activity", "started", 1)
        while "user_activity is running for" not in printed:
            time.sleep(0.01)
            printed += capfd.readouterr().err


def test_a_terminal_shows_the_days_of_each_planned_step() -> None:
    screen = io.StringIO()
    with open_progress(Console(file=screen, force_terminal=True, width=120)) as shown:
        shown.plan(["raw_logs", "user_activity"], 40)
        shown.report_step("raw_logs", "started", 31)
        shown.report_step("raw_logs", "done", 31)
        with shown.tracking("upload", 7) as report:
            report(5)
        with shown.tracking("upload", 3) as report:
            report(2)
        shown.report_step("a_check", "failed", 31)
    text = CODE.sub("", screen.getvalue())
    for shown_text in ("raw_logs", "31/40", "0/40", "7/10", "a_check failed"):
        assert shown_text in text


def test_other_things_than_days_are_counted_in_their_unit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_progress(unit="MB") as shown:
        shown.plan(["a"], 3)
        shown.report_step("a", "done", 2)
    assert lines(capsys) == ["a done for 2 of 3 MB"]
