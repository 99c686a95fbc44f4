"""What Alembic runs: the missing versions, on the connection that it was given."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=context.config.attributes["connection"].dialect.name == "sqlite",
)
context.run_migrations()
