"""The clock and the workers: entrances beside cli and web."""
