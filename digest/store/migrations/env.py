"""Alembic's entrance: the connection comes from ``Database.upgrade``, which owns the transaction."""

from alembic import context

from digest.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=False)
context.run_migrations()
