"""Engines that run feature code: DuckDB in the process, or Spark."""
