"""rooms.d -> Desired: the rooms as people wrote them, and every error with its place."""

from controller.manifests.load import Cache, load, load_paths
from controller.manifests.schema import manifest_schema
from controller.manifests.snapshot import (
    Desired,
    ManifestError,
    ManifestRoom,
    Mark,
    RoomsDirState,
)
from controller.manifests.watch import Watch

__all__ = [
    "Cache",
    "Desired",
    "ManifestError",
    "ManifestRoom",
    "Mark",
    "RoomsDirState",
    "Watch",
    "load",
    "load_paths",
    "manifest_schema",
]
