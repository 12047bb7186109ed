"""HTTP: connections, bodies, routing, limits, and the form of responses."""
