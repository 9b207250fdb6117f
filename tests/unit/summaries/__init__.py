"""The summaries room: files into summaries, summaries into the words of letters."""
