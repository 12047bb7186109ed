"""HTTP within bounds: connections, bodies, paths, limits, and the one form of every answer."""
