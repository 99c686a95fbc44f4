"""Run by Alembic: the missing versions, on the connection that it was given."""

from alembic import context

from ds_assets.infra.results.backends import backend_in_use

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    transactional_ddl=backend_in_use(connection).has_transactional_ddl,
)
context.run_migrations()
