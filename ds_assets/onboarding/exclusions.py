"""Lines that are no events of the game, and ids of users that stand for no user."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ds_assets.infra.engines.log_counts import PLACEHOLDERS
from ds_assets.onboarding.exports import KnownExport
from ds_assets.onboarding.fields import last_name

_TEST_FIELDS = ("environment", "env", "istest", "testmode", "isdebug", "debug", "issandbox")
_TEST_VALUES = {"test", "testing", "staging", "stage", "sandbox", "debug", "dev", "development"}
_OFTEN = 3
"""How many times more often than a usual user an id without a user is there."""

Rule = Mapping[str, Any]
"""An entry of `logs.leave_out`."""


def find_left_out(table: pd.DataFrame, export: KnownExport | None) -> list[Rule]:
    """Find the rules by which lines are left out: of an export, and of tests of the game."""
    return [*_of_export(table, export), *_of_tests(table)]


def _of_export(table: pd.DataFrame, export: KnownExport | None) -> Iterator[Rule]:
    path, calls = (export and export.left_out) or ("", ())
    if path in table and (values := [it for it in calls if (table[path] == it).any()]):
        yield {"field": path, "values": values}


def _of_tests(table: pd.DataFrame) -> Iterator[Rule]:
    for path in table.columns:
        if last_name(path) in _TEST_FIELDS:
            texts = {str(it).lower(): it for it in table[path].dropna().unique()}
            tests = [it for text, it in texts.items() if text in {*_TEST_VALUES, "true"}]
            if tests and len(texts) > 1:
                yield {"field": path, "values": tests}


def is_left_out(table: pd.DataFrame, rules: Sequence[Rule]) -> "pd.Series[bool]":
    """Return whether each line is left out."""
    left_out = pd.Series(False, index=table.index)
    for rule in rules:
        left_out = left_out | table[str(rule["field"])].isin(rule["values"])
    return left_out


def find_placeholders(user_ids: "pd.Series[Any]") -> list[str]:
    """Find ids that stand for no user, such as 0, in far more lines than an id of a user."""
    users = user_ids.dropna().astype(str).str.strip()
    counts = users.value_counts()
    usual = counts.median() if len(counts) else 0
    often = counts[counts > _OFTEN * usual].index
    return sorted(str(it) for it in often if str(it).lower() in PLACEHOLDERS)
