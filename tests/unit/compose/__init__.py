"""Wishes, selection, rank and editions."""
