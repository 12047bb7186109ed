"""What serves a room beside the plan while people are inside: recording. companion.py is the frame."""
