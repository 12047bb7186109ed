"""roomctl: room manifests in git become live rooms on LiveKit, and stay so."""
