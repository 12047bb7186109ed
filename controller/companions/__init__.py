"""Services for a room with people inside, next to the plan: recording. companion.py is the interface."""
