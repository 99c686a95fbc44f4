"""The HTTP API: routes, authentication, limits, metrics and documentation."""
