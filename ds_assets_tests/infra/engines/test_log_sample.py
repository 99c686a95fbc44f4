"""A sample of logs counts fields and event types as the reader of whole days parses them."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ds_assets.game import Attribute, Fields, Game, Logs
from ds_assets.infra.engines.log_sample import LogSample, summarize_logs
from ds_assets.infra.engines.raw_files import RawFile

DAY = dt.date(2026, 1, 1)
CONTENT = {
    "jsonl": '{"u": "a", "t": "2026-01-01", "e": "buy", "x": {"y": 5}}\n{"u": "b", "e": ""}\nno\n',
    "csv": "u,t,e,x.y\na,2026-01-01,buy,5\nb,,,\nonly one column\n",
}


def game(kind: str) -> Game:
    return Game(
        name="game",
        first_day=DAY,
        logs=Logs.model_validate({"format": kind}),
        fields=Fields(user_id="u", event_time="t", event_type="e", amount="x.y"),
        attributes={"country": Attribute(field="c")},
    )


EXPECTED = {"user_id": 2, "event_time": 1, "event_type": 1, "amount": 1, "attribute_country": 0}


@pytest.mark.parametrize("kind", CONTENT)
def test_fields_and_types_are_counted_in_lines_that_can_be_parsed(
    tmp_path: Path, kind: str
) -> None:
    (tmp_path / "a").write_text(CONTENT[kind])
    sample = summarize_logs([RawFile(DAY, "a", tmp_path / "a")], game(kind))
    assert sample == LogSample(2, EXPECTED, frozenset({"buy"}))


def test_columns_of_parquet_are_counted_and_damaged_files_left_out(tmp_path: Path) -> None:
    rows = pa.table(
        {"u": ["a", "b"], "t": ["2026-01-01", None], "e": ["buy", ""], "x": [{"y": 5}, None]}
    )
    pq.write_table(rows, tmp_path / "a")
    (tmp_path / "b").write_text("not Parquet")
    files = [RawFile(DAY, name, tmp_path / name) for name in "ab"]
    assert summarize_logs(files, game("parquet")) == LogSample(2, EXPECTED, frozenset({"buy"}))


def test_without_files_there_are_no_lines() -> None:
    sample = summarize_logs([], game("jsonl"))
    assert (sample.lines, sample.event_types) == (0, frozenset())
