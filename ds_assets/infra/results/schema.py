"""The tables and views of the results database, made from the column contracts.

Scope: which tables and views there are. How a type is stored depends on the backend, and how a
database gets from one version of the schema to the next is in `migrations`.

Each delivery of a day is a load of its own: rows with a load id that no other load has, in the
tables of `DELIVERED_TABLES`. `deliveries` says which load of a day counts, and the views show the
rows of those loads only. So one short row publishes a day of any size in all of these tables at
once, and a load that is incomplete or replaced is never visible.

Reports are small: one table each, without loads.

Several installations may share a database. Deliveries and reports have the id of their installation
in the key. Loads do not need it: a load id is drawn at random, and the delivery that names it says
whose it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateView
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from ds_assets.core.schema import Column, ColumnType, Table
from ds_assets.core.tables import (
    CLUSTER_PROFILES,
    COHORTS,
    MODEL_METRICS,
    PLAYER_PROMOTIONS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    PROMOTION_RESULTS,
    TARGET_PREDICTIONS,
)
from ds_assets.infra.results.backends import backend_of_dialect

_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
SCHEMA_VERSION = max(file.name[1:5] for file in _MIGRATIONS.glob("v*.py"))
"""The newest version in `migrations`, which is the one this software reads and writes."""
KEY_LENGTH = 191
"""Maximum number of characters of a user id, and of other texts in a primary key."""
RUN_ID_LENGTH = 255
"""Maximum number of characters of a run id."""


class KeyText(sa.types.TypeDecorator[str]):
    """Text that is equal only to itself: case counts, and so do spaces at its end.

    Its order is that of its UTF-8 bytes, in every backend.
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, max_length: int = KEY_LENGTH) -> None:
        super().__init__(max_length)
        self.max_length = max_length

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """The column type of a backend."""
        key_type = backend_of_dialect(dialect).key_type(self.max_length, dialect)
        return dialect.type_descriptor(key_type)


_SQL_TYPES: dict[ColumnType, type[TypeEngine[Any]]] = {
    "text": sa.Text,
    "json": sa.Text,
    "integer": sa.BigInteger,
    "real": sa.Double,
    "date": sa.Date,
}
_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def _sql_columns(contract: Table) -> list[sa.Column[Any]]:
    return [_sql_column(column, column.name in contract.key) for column in contract.columns]


def _sql_column(column: Column, is_key: bool) -> sa.Column[Any]:
    is_text_key = is_key and column.type == "text"
    return sa.Column(
        column.name,
        KeyText(column.max_length or KEY_LENGTH) if is_text_key else _SQL_TYPES[column.type],
        nullable=column.nullable,
        comment=column.description,
    )


def _load_id(comment: str) -> sa.Column[Any]:
    # 0 is the load of rows that were delivered before there were load ids.
    return sa.Column("load_id", sa.BigInteger, nullable=False, server_default="0", comment=comment)


FIRST_INSTALLATION = 1
"""Id of the installation that rows from before there were ids belong to."""


def _installation_id() -> sa.Column[Any]:
    return sa.Column(
        "installation_id",
        sa.Integer,
        nullable=False,
        server_default=str(FIRST_INSTALLATION),
        comment="The installation, see installations.",
    )


METADATA = sa.MetaData()
"""Every table of the results database."""

VIEWS = sa.MetaData()
"""The views, which people and programs read."""

INSTALLATIONS = sa.Table(
    "installations",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, comment="Its id."),
    sa.Column(
        "name", KeyText, nullable=False, comment="Its name; empty until an installation claims it."
    ),
    sa.Column("lake", sa.String(32), nullable=False, comment="Id of the lake that delivers."),
    sa.UniqueConstraint("name", name="installations_name"),
    comment="Installations that share this database, each with rows of its own.",
    **_MYSQL,
)
"""The installations that share the database. The first one is there, without a name, until an
installation claims it."""

DELIVERIES = sa.Table(
    "deliveries",
    METADATA,
    sa.Column("as_of", sa.Date, nullable=False, comment="The day delivered."),
    sa.Column(
        "run_id", sa.String(RUN_ID_LENGTH), nullable=False, comment="Run that delivered it last."
    ),
    sa.Column("row_count", sa.BigInteger, nullable=False, comment="Rows of the day."),
    sa.Column(
        "checksum",
        sa.String(64),
        nullable=False,
        comment="Version and SHA-256 of the day's rows, in the order of the user id.",
    ),
    sa.Column("delivered_at", sa.DateTime, nullable=False, comment="When, in UTC."),
    _load_id("The load whose rows count."),
    _installation_id(),
    sa.PrimaryKeyConstraint("installation_id", "as_of"),
    info={"description": "Which load of a day counts."},
    **_MYSQL,
)

STALE_LOADS = sa.Table(
    "stale_loads",
    METADATA,
    sa.Column("as_of", sa.Date, primary_key=True, comment="Day of the rows."),
    sa.Column(
        "load_id",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="The load that brought them.",
    ),
    comment="Loads that no longer count, and whose rows are to be deleted.",
    **_MYSQL,
)
"""Loads that no longer count and whose rows are still to be deleted."""


def _report(contract: Table) -> sa.Table:
    return sa.Table(
        contract.name,
        METADATA,
        *_sql_columns(contract),
        _installation_id(),
        sa.PrimaryKeyConstraint("installation_id", *contract.key),
        sqlite_with_rowid=False,
        info={"description": contract.description},
        **_MYSQL,
    )


REPORTS = {
    contract.name: _report(contract)
    for contract in (
        CLUSTER_PROFILES,
        COHORTS,
        MODEL_METRICS,
        PREDICTION_OUTCOMES,
        PROMOTION_RESULTS,
    )
}
"""Tables of reports by name. The key of each begins with `installation_id` and `as_of`."""

REPORT_LOCKS = sa.Table(
    "report_locks",
    METADATA,
    sa.Column("name", KeyText, primary_key=True, comment="The table of reports."),
    comment="Writers of a table of reports lock its row here.",
    **_MYSQL,
)
"""A row for each report, which its writer locks so that writers take turns."""


def newest_day(installation_id: int | sa.ColumnElement[int]) -> sa.Select[Any]:
    """Query of an installation's newest delivered day; none where it delivered nothing."""
    deliveries = DELIVERIES.alias("newest")
    newest = sa.func.max(deliveries.c.as_of).label("as_of")
    return sa.select(newest).where(deliveries.c.installation_id == installation_id)


@dataclass(frozen=True)
class DeliveredTable:
    """A table whose days are delivered as loads, and the views of it.

    Attributes:
        contract: Its columns. The key is `user_id`, `as_of` and whatever else identifies a row.
        loads: The rows of all loads, among them some that do not count.
        history: View of the rows of every delivered day, with their installation.
        current: View of the rows of each installation's newest delivered day.
    """

    contract: Table
    loads: sa.Table
    history: sa.Table
    current: sa.Table


def _view(
    name: str, rows: sa.Select[Any], description: str, meanings: Mapping[str, str]
) -> sa.Table:
    """Declare a view with the meaning of each column, apart from that of the installation."""
    view = CreateView(rows, name, metadata=VIEWS).table
    view.info["description"] = description
    for column in view.columns:
        column.comment = meanings.get(column.name) or _installation_id().comment
    return view


def _delivered_table(contract: Table, name: str, loads_name: str) -> DeliveredTable:
    others = [column for column in contract.key if column not in {"as_of", "user_id"}]
    loads = sa.Table(
        loads_name,
        METADATA,
        *_sql_columns(contract),
        _load_id("The load that stored the row."),
        sa.PrimaryKeyConstraint("as_of", "load_id", "user_id", *others),
        sqlite_with_rowid=False,
        info={"description": f"The rows of all loads of {name}, also of those that do not count."},
        **_MYSQL,
    )
    counts = sa.and_(loads.c.as_of == DELIVERIES.c.as_of, loads.c.load_id == DELIVERIES.c.load_id)
    columns = [*(loads.c[column] for column in contract.names), DELIVERIES.c.installation_id]
    rows = sa.select(*columns).join_from(DELIVERIES, loads, counts)
    newest_of_its_own = newest_day(DELIVERIES.c.installation_id).correlate(DELIVERIES)
    newest = rows.where(DELIVERIES.c.as_of == newest_of_its_own.scalar_subquery())
    meanings = {column.name: column.description for column in contract.columns}
    return DeliveredTable(
        contract,
        loads,
        _view(name, rows, f"{contract.description} Rows of every delivered day.", meanings),
        _view(
            f"{name}_current",
            newest,
            f"{contract.description} Rows of each installation's newest delivered day.",
            meanings,
        ),
    )


PLAYER_PREDICTIONS = _delivered_table(PREDICTIONS, "player_predictions", "player_prediction_loads")
"""A row for each user and day."""

TARGET_PREDICTION_ROWS = _delivered_table(
    TARGET_PREDICTIONS, "target_predictions", "target_prediction_loads"
)
"""A row for each user, day and custom target."""

PLAYER_PROMOTION_ROWS = _delivered_table(
    PLAYER_PROMOTIONS, PLAYER_PROMOTIONS.name, "player_promotion_loads"
)
"""A row for each user, day and promotion in effect, also for users that are kept without it."""

DELIVERED_TABLES = (PLAYER_PREDICTIONS, TARGET_PREDICTION_ROWS, PLAYER_PROMOTION_ROWS)
"""Every table of a delivery."""


class _DaysBetween(sa.sql.functions.FunctionElement[int]):
    """Number of days from the second of two dates to the first."""

    type = sa.Integer()
    inherit_cache = True


@compiles(_DaysBetween)
def _compile_days_between(element: _DaysBetween, compiler: SQLCompiler, **options: Any) -> str:
    later, earlier = element.clauses
    days = backend_of_dialect(compiler.dialect).days_between(later, earlier)
    return compiler.process(days.self_group(), **options)


def _ratio(part: sa.ColumnElement[Any], whole: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Divide numbers, of which both may be whole, in the same way in every backend."""
    as_real = part.op("*", precedence=8)(sa.literal_column("1e0"))
    return as_real.op("/", precedence=8)(whole)


_LAST_JOINING_DAY = 6
"""Days from the first day of a cohort to the last one on which users join it."""


def _curves() -> sa.Select[Any]:
    """Query of cohorts by age, as known at the newest day.

    A cohort that began before the oldest stored day is left out, as its first days are missing. An
    age counts once the youngest users have reached it: else the curve would sag at its end.
    """
    rows = REPORTS[COHORTS.name].c
    days = (
        sa.select(
            rows.installation_id,
            sa.func.min(rows.as_of).label("oldest"),
            sa.func.max(rows.as_of).label("newest"),
        )
        .group_by(rows.installation_id)
        .subquery("days")
    )
    place = [rows.installation_id, rows.cohort, rows.value, rows.age_days]
    has_cost = rows.cost_per_user.is_not(None)
    sums = (
        sa.select(
            *place,
            *(
                sa.func.sum(rows[name]).label(name)
                for name in ("users", "active_users", "payers", "spend")
            ),
            sa.func.sum(rows.users * rows.cost_per_user).label("cost"),
            sa.func.sum(sa.case((has_cost, rows.users))).label("users_with_cost"),
        )
        .group_by(*place)
        .subquery("sums")
    )
    cohort: dict[str, Any] = {"partition_by": [sums.c.installation_id, sums.c.cohort, sums.c.value]}
    until_age = cohort | {"order_by": sums.c.age_days}
    users = sa.func.sum(sums.c.users).over(**cohort)
    users_with_cost = sa.func.sum(sums.c.users_with_cost).over(**cohort)
    totals = (
        sa.select(
            *(sums.c[column.name] for column in place),
            sums.c.active_users,
            users.label("users"),
            sa.func.sum(sums.c.payers).over(**until_age).label("payers"),
            sa.func.sum(sums.c.spend).over(**until_age).label("spend"),
            _ratio(
                sa.func.sum(sums.c.cost).over(**cohort), sa.func.nullif(users_with_cost, 0)
            ).label("cost_per_user"),
        )
    ).subquery("totals")
    of_all = totals.c
    observed = _DaysBetween(days.c.newest, of_all.cohort) - _LAST_JOINING_DAY
    return (
        sa.select(
            of_all.cohort,
            of_all.value,
            of_all.age_days,
            sa.cast(of_all.users, sa.BigInteger).label("users"),
            _ratio(of_all.active_users, of_all.users).label("retention"),
            _ratio(of_all.payers, of_all.users).label("payer_share"),
            _ratio(of_all.spend, of_all.users).label("spend_per_user"),
            of_all.cost_per_user,
            observed.label("observed_days"),
            of_all.installation_id,
        )
        .join_from(totals, days, of_all.installation_id == days.c.installation_id)
        .where(of_all.users > 0, of_all.cohort >= days.c.oldest, of_all.age_days <= observed)
    )


_OF_COHORTS = {
    "cohort": "First day of the week of the users' first active day.",
    "value": "Value of the attribute in cohorts.by of game.yaml; all without one.",
    "age_days": "Days since each user's own first active day.",
    "users": "Users of the cohort.",
    "retention": "Share of them that was active at the age.",
    "payer_share": "Share of them with a purchase up to the age.",
    "spend_per_user": "Mean spend up to the age; in cohort_payback, up to observed_days.",
    "cost_per_user": "Mean cost of a user; none where game.yaml has no cost.",
    "observed_days": "Age that the youngest users have reached; larger ages are not shown.",
    "paid_back_share": "Spend divided by cost; none without a cost.",
    "payback_days": "First age at which spend had reached the cost; none before.",
}
COHORT_CURVES = _view(
    "cohort_curves",
    _curves(),
    "Cohorts by age: retention, and what users have spent until then.",
    _OF_COHORTS,
)


def _payback() -> sa.Select[Any]:
    """Query of the age at which each cohort had paid back what it cost."""
    curve = COHORT_CURVES.c
    cohort: dict[str, Any] = {"partition_by": [curve.installation_id, curve.cohort, curve.value]}
    paid_age = sa.case((curve.spend_per_user >= curve.cost_per_user, curve.age_days))
    last_first = sa.func.row_number().over(**cohort, order_by=curve.age_days.desc())
    ages = sa.select(
        *curve,
        sa.func.min(paid_age).over(**cohort).label("payback_days"),
        last_first.label("position"),
    ).subquery("ages")
    return sa.select(
        ages.c.cohort,
        ages.c.value,
        ages.c.users,
        ages.c.observed_days,
        ages.c.spend_per_user,
        ages.c.cost_per_user,
        _ratio(ages.c.spend_per_user, ages.c.cost_per_user).label("paid_back_share"),
        ages.c.payback_days,
        ages.c.installation_id,
    ).where(ages.c.position == 1)


COHORT_PAYBACK = _view(
    "cohort_payback",
    _payback(),
    "Cohorts: what their users have spent and cost, and when they had paid that back.",
    _OF_COHORTS,
)
