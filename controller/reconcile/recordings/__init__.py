"""Recordings as LiveKit makes them: which rooms need a step, the steps, and what is remembered between."""
