"""Adapters to everything outside the process: log source, lake, engines, results database, cache.

Scope: talking to the outside. What the data means is decided in `core/`.
"""
