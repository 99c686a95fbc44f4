"""Training data: labelled snapshots, training rows, and whether there is enough data."""
