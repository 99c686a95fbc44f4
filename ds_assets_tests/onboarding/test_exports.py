"""Exports of analytics services are recognized by their fields."""

import pytest

from ds_assets.game import Fields
from ds_assets.onboarding.exports import EXPORTS, KnownExport, find_export, name_columns


@pytest.mark.parametrize("export", EXPORTS, ids=lambda it: it.name)
def test_an_export_is_recognized_among_other_fields(export: KnownExport) -> None:
    assert find_export([*export.signature, "another"]) == export
    for field in export.signature:
        assert find_export(export.signature - {field}) is None


@pytest.mark.parametrize("export", EXPORTS, ids=lambda it: it.name)
def test_the_fields_of_an_export_are_those_of_a_game_file(export: KnownExport) -> None:
    Fields.model_validate({"event_type": {"constant": "x"}, **export.fields})


def test_columns_without_a_header_are_numbered_or_those_of_snowplow() -> None:
    assert name_columns(2) == ("column_1", "column_2")
    assert "collector_tstamp" in name_columns(131)
    assert len(set(name_columns(131))) == 131
