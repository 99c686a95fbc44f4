"""The tables of the lake, and the tables and views of the results database."""

import datetime as dt
from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from ds_assets.core import tables
from ds_assets.core.game_tables import stored_activity_table, user_features_table
from ds_assets.core.lifetimes import user_lifetimes_table
from ds_assets.core.schema import Table
from ds_assets.infra.results.schema import METADATA, VIEWS, KeyText
from reference_pages.features import GAME
from reference_pages.markdown import WRITTEN, code, table

_INTRODUCTION = f"""# Tables

{WRITTEN}

The tables that depend on the game file, `user_activity`, `user_lifetimes` and `user_features`,
are those of the [example of the features](../features.md).

| type | in Parquet files | in the results database |
|---|---|---|
| text, json | string | text; in keys, up to 191 characters |
| integer | 64 bits | bigint |
| real | double | double |
| date | date | date |
| time | microseconds without a zone | datetime |

## Tables of the lake

One Parquet file per day: `TABLE/dt=YYYY-MM-DD/TABLE.parquet`. [The notebook](../notebook.md)
reads them.
"""
_OF_RESULTS = """
## Tables and views of the results database

Read the views: the tables of loads have rows that do not count. [The results
database](../results.md) says how they are written, and which rights reading takes.
"""
_IN_LAKE = (
    *(tables.QUARANTINE, tables.EVENT_IDS, stored_activity_table(GAME), user_lifetimes_table(GAME)),
    *(user_features_table(GAME), tables.COHORTS, tables.CLUSTERS, tables.PREDICTIONS),
    *(tables.TARGET_PREDICTIONS, tables.CLUSTER_PROFILES, tables.PREDICTION_OUTCOMES),
    *(tables.PROMOTIONS, tables.PROMOTION_OUTCOMES, tables.PROMOTION_RESULTS),
    *(
        tables.USER_EFFECTS,
        tables.PROMOTION_CHANGES,
        tables.PROMOTION_OFFERS,
        tables.PROMOTION_SHOWN,
    ),
)
_TYPES = {
    str: "text",
    int: "integer",
    float: "real",
    dt.date: "date",
    dt.datetime: "time",
}


def page() -> str:
    """The text of the page."""
    results = (*VIEWS.tables.values(), *METADATA.tables.values())
    return "".join(
        [_INTRODUCTION, *map(_lake_table, _IN_LAKE), _OF_RESULTS, *map(_results_table, results)]
    )


def _lake_table(contract: Table) -> str:
    rows = (
        [code(column.name), column.type, _yes(column.nullable), column.description]
        for column in contract.columns
    )
    return _section(contract.name, contract.description, contract.key, rows)


def _results_table(relation: sa.Table) -> str:
    description = relation.info.get("description") or relation.comment or ""
    key = [column.name for column in relation.primary_key]
    return _section(relation.name, description, key, _columns(relation))


def _columns(relation: sa.Table) -> Iterator[list[str]]:
    is_view = not relation.primary_key
    for column in relation.columns:
        type_name = "text" if isinstance(column.type, KeyText) else _TYPES[column.type.python_type]
        nullable = "" if is_view else _yes(bool(column.nullable))
        yield [code(column.name), type_name, nullable, column.comment or ""]


def _section(name: str, description: str, key: Iterable[str], rows: Iterable[list[str]]) -> str:
    names = ", ".join(map(code, key))
    keyed = f" Key: {names}." if names else " A view."
    return f"\n### {name}\n\n{description}{keyed}\n\n" + table(
        ["column", "type", "may be missing", "meaning"], rows
    )


def _yes(condition: bool) -> str:
    return "yes" if condition else ""
