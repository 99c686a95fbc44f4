"""The group defaults of the newest delivered day, averaged by the database."""

from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ds_assets.core.group_defaults import (
    AVERAGED_COLUMNS,
    MAX_USER_GROUPS,
    SHARED_COLUMNS,
    TARGET_AVERAGED_COLUMNS,
    with_target_averages,
)
from ds_assets.core.tables import PREDICTIONS
from ds_assets.infra.results.backends import backend_in_use
from ds_assets.infra.results.schema import PLAYER_PREDICTIONS, TARGET_PREDICTION_ROWS

_USERS, _TARGETS = PLAYER_PREDICTIONS.current, TARGET_PREDICTION_ROWS.current


def query_defaults(
    connection: sa.Connection, installation_id: int, *, with_targets: bool
) -> pa.RecordBatch:
    """Query what `compute_group_defaults` computes of the newest delivered day.

    Args:
        connection: In a transaction that reads.
        installation_id: The installation.
        with_targets: Whether to add `targets`, by two more queries.
    """
    rows = [
        {"user_id": "", **row}
        for row in _averages(connection, installation_id)
        if row["as_of"] is not None
    ]
    if with_targets and rows:
        return with_target_averages(rows, _target_averages(connection, installation_id))
    return pa.RecordBatch.from_pylist(rows, schema=PREDICTIONS.arrow_schema)


def _averages(connection: sa.Connection, installation_id: int) -> list[dict[str, Any]]:
    shared = [sa.func.max(_USERS.c[name]).label(name) for name in SHARED_COLUMNS]
    means = [sa.func.avg(_USERS.c[name]).label(name) for name in AVERAGED_COLUMNS]
    group, own = _group(connection), _USERS.c.installation_id == installation_id
    of_groups = (
        sa.select(group, *shared, *means)
        .where(own, group.is_not(None))
        .group_by(group)
        .order_by(sa.func.count().desc(), group)
        .limit(MAX_USER_GROUPS)
    )
    return _rows(connection, sa.select(*shared, *means).where(own), of_groups)


def _target_averages(connection: sa.Connection, installation_id: int) -> list[dict[str, Any]]:
    target = _TARGETS.c.target
    values = (
        target,
        *(sa.func.avg(_TARGETS.c[name]).label(name) for name in TARGET_AVERAGED_COLUMNS),
        sa.func.max(_TARGETS.c.model).label("model"),
    )
    group, own = _group(connection), _TARGETS.c.installation_id == installation_id
    is_same_user = sa.and_(
        _USERS.c.installation_id == installation_id, _USERS.c.user_id == _TARGETS.c.user_id
    )
    of_groups = (
        sa.select(group, *values)
        .join_from(_TARGETS, _USERS, is_same_user)
        .where(own, group.is_not(None))
        .group_by(group, target)
    )
    return _rows(connection, sa.select(*values).where(own).group_by(target), of_groups)


def _group(connection: sa.Connection) -> sa.Label[bytes]:
    return backend_in_use(connection).as_bytes(_USERS.c.user_group).label("user_group")


def _rows(connection: sa.Connection, *queries: sa.Executable) -> list[dict[str, Any]]:
    return [dict(row) for query in queries for row in connection.execute(query).mappings()]
