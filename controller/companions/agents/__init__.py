"""Calls LiveKit agents into rooms while people are inside, as a companion (docs/agents.md)."""
