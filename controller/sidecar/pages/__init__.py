"""The join page and the recorded page: scripts, styles, and how they are served (serving.py)."""
