"""Writes events to the database (`log`), and sends them from there to a receiver (`cloud`, `sender`)."""
