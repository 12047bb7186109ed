"""rooms.d -> Desired: the rooms in the manifests, and every error with its position."""
