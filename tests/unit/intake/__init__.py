"""Intake, from the bytes of a feed to the change it means."""
