"""What answers HTTP: the public helpers for guests, and the private listener for operators and LiveKit.

A request goes protocol (bounds) -> site (path, method, form of failures) -> helpers or ops. All of it answers
from `Known`; the only question it ever puts to LiveKit is who is inside a room.
"""

from controller.sidecar.context import Backstage, Context
from controller.sidecar.server import Sidecar

__all__ = ["Backstage", "Context", "Sidecar"]
