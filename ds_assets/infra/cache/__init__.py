"""The cache of predictions: Redis, or an embedded server."""
