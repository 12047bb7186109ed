"""The join page and the one that is recorded: their scripts and styles, and how they are served (serving.py)."""
