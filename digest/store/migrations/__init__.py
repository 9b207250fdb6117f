"""Alembic migrations; ``Database.upgrade`` runs them inside one transaction."""
