"""The columns of lines, and the kinds of their values."""

import datetime as dt
import json

from ds_assets.core.log_counts import Values
from ds_assets.game import Csv
from ds_assets.infra.engines.log_columns import MAX_COLUMNS, csv_columns, json_columns
from ds_assets.infra.engines.raw_files import RawLines


def test_paths_of_json_are_columns_and_missing_values_do_not_count() -> None:
    lines = [{"a": {"b": 1, "c": None}, "d": [1], "e": ""}, {"a": {"b": "x"}, "f": True}]
    sampled, columns = json_columns([*map(json.dumps, lines), "no JSON", "[1]"])
    assert sampled == 2
    assert columns == {
        "a.b": Values(lines=2, kinds={"number": 1, "text": 1}),
        "d": Values(lines=1, kinds={"list": 1}),
        "f": Values(lines=1, kinds={"bool": 1}),
    }


def test_of_lines_with_ids_as_names_only_the_outermost_fields_count() -> None:
    line = {"users": {f"u{n}": 1 for n in range(MAX_COLUMNS + 1)}, "n": 1}
    assert json_columns([json.dumps(line)])[1] == {
        "n": Values(lines=1, kinds={"number": 1}),
        "users": Values(lines=1, kinds={"object": 1}),
    }


def test_values_of_csv_are_numbers_where_they_can_be() -> None:
    file = RawLines(dt.date(2026, 1, 1), "a", ["n;t;empty", "1.5;x;", "n;t;empty", "2;y;", "3"])
    assert csv_columns([file], Csv(delimiter=";")) == (
        2,
        {"n": Values(lines=2, kinds={"number": 2}), "t": Values(lines=2, kinds={"text": 2})},
    )
