"""Database products differ in their backends only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

import ds_assets
from ds_assets.core.day_rows import DayRows
from ds_assets.core.schema import Column, Table
from ds_assets.infra.results import loading, schema
from ds_assets.infra.results.backends import DRIVERS
from ds_assets.infra.results.backends.base import Load
from ds_assets.infra.results.database import DeliveryDiffers, ResultsDatabase
from ds_assets_tests.infra.factories import DAYS

PACKAGE = Path(ds_assets.__file__).parent
RESULTS = PACKAGE / "infra" / "results"
PRODUCTS = {*DRIVERS, *DRIVERS.values(), "mariadb"}


def decisions(tree: ast.AST) -> Iterator[str]:
    """What a module's code decides by the product of a database."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in PRODUCTS:
            yield f"line {node.lineno}: {node.value!r}"
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("dialect.name"):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("sqlalchemy.dialects"):
            yield f"line {node.lineno}: {node.module}"


def test_nothing_but_the_backends_and_old_migrations_knows_the_products() -> None:
    own = {RESULTS / "backends", RESULTS / "migrations" / "versions"}
    decisions_by_file = {
        str(path.relative_to(RESULTS)): list(decisions(ast.parse(path.read_text())))
        for path in RESULTS.rglob("*.py")
        if not own & {*path.parents}
    }
    assert len(decisions_by_file) > 10
    assert {name: lines for name, lines in decisions_by_file.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    [
        'if connection.dialect.name == "mysql": ...',
        'if url.get_backend_name() != "sqlite": ...',
        "is_other = engine.dialect.name",
        "from sqlalchemy.dialects import postgresql",
    ],
)
def test_a_decision_by_the_product_is_found(code: str) -> None:
    assert list(decisions(ast.parse(code)))


LONG = Table(
    "words",
    (
        Column("user_id", "text", "The user."),
        Column("as_of", "date", "The day."),
        Column("word", "text", "A word that the user said."),
        Column("weight", "real", "Its weight.", nullable=True),
        Column("note", "json", "A note.", nullable=True),
    ),
    ("user_id", "as_of", "word"),
)


@pytest.fixture
def words(database: ResultsDatabase, monkeypatch: pytest.MonkeyPatch) -> schema.DeliveredTable:
    """A table of several rows per user, declared as those of `DELIVERED_TABLES` are."""
    database.ensure_schema()
    monkeypatch.setattr(schema, "METADATA", sa.MetaData())
    monkeypatch.setattr(schema, "VIEWS", sa.MetaData())
    words = schema._delivered_table(LONG, "words", "word_loads")
    with database._transaction(writing=True) as connection:
        words.loads.create(connection)
    return words


def load_rows(connection: sa.Connection, words: schema.DeliveredTable, rows: pa.Table) -> None:
    tables = loading.cut_between_users(DayRows.of(LONG, DAYS[0], rows))
    loading.load_rows(connection, words, Load(DAYS[0], 5), tables)


def test_a_table_with_several_rows_per_user_is_loaded_from_its_declaration(
    database: ResultsDatabase, words: schema.DeliveredTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_MAX_ROWS_PER_STATEMENT", 4)
    rows = pa.Table.from_pylist(
        [
            {
                "user_id": f"u{user}",
                "as_of": DAYS[0],
                "word": f"w{word}",
                "weight": word / 3 if word else None,
                "note": "[]" if user % 2 else None,
            }
            for word in range(3)
            for user in range(7)
        ],
        schema=LONG.arrow_schema,
    )
    with database._transaction(writing=True) as connection:
        load_rows(connection, words, rows)
        stored = connection.execute(
            sa.select(*(words.loads.c[name] for name in LONG.names)).order_by("user_id", "word")
        )
        expected = rows.sort_by([("user_id", "ascending"), ("word", "ascending")])
        assert [dict(row) for row in stored.mappings()] == expected.to_pylist()


def test_a_stored_row_that_differs_in_such_a_table_is_found(
    database: ResultsDatabase, words: schema.DeliveredTable
) -> None:
    row = {"user_id": "u", "as_of": DAYS[0], "word": "w", "weight": 0.5, "note": None}
    rows = pa.Table.from_pylist([row], schema=LONG.arrow_schema)
    with database._transaction(writing=True) as connection:
        connection.execute(sa.insert(words.loads).values(**{**row, "word": "x"}, load_id=5))
        with pytest.raises(DeliveryDiffers, match="1 rows were delivered and 2 stored"):
            load_rows(connection, words, rows)
