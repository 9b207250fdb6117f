"""Editions become letters: templates, pages, tags, notices, lint."""
