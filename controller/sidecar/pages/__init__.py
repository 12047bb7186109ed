"""The join page: its scripts and styles, and how they are served (serving.py)."""
