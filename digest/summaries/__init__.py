"""Summaries: from a file's bytes to the words that letters carry.

Enters: the bytes of one summary file (Markdown with front matter, or JSON). Leaves: a ``Summary``,
and from it a ``Condensed``: headline, brief and full, as sanitised HTML and as plain text, once per version.
Must never: open a file, know a database or a template, or let markup of the source through to a letter.
"""
