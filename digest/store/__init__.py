"""The store: SQLModel tables that no other room sees; rows in, frozen values out.

Enters: values of ``digest.model`` and an open connection. Leaves: the same, or an error of the tree.
One file per noun. Every function that changes something says whether twice is safe. Must never: call
another edge, keep a transaction open across an HTTP call, or let a row leave the room.
SQLite and PostgreSQL run the same statements; where they must differ, ``database.py`` hides it.
"""
