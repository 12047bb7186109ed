"""The join page and the one that is recorded: scripts, styles, and how they are served (serving.py)."""
