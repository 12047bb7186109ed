"""rooms.d -> Desired: the rooms in the manifests, and every error with its position."""

from controller.manifests.load import Cache, load, load_paths
from controller.manifests.schema import manifest_schema
from controller.manifests.snapshot import (
    Desired,
    ManifestError,
    ManifestRoom,
    RoomsDirState,
    SourcePosition,
)
from controller.manifests.watch import ManifestWatcher

__all__ = [
    "Cache",
    "Desired",
    "ManifestError",
    "ManifestRoom",
    "ManifestWatcher",
    "RoomsDirState",
    "SourcePosition",
    "load",
    "load_paths",
    "manifest_schema",
]
