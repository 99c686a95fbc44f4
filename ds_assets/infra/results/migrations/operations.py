"""Changes of the schema that Alembic has no operation for."""

from collections.abc import Mapping

from alembic import op

from ds_assets.infra.results.backends import backend_in_use


def replace_views(queries: Mapping[str, str]) -> None:
    """Redefine views by their names, so that readers find the old or the new one at any time."""
    connection = op.get_bind()
    for name, query in queries.items():
        backend_in_use(connection).replace_view(connection, name, query)
