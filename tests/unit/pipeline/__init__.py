"""The corridor, without a database."""
