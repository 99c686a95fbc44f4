"""Benchmarks: how fast and how large the project is, against controls in the same run."""
