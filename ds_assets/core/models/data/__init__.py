"""What may train: labelled snapshots, training rows, and whether there is enough data."""
