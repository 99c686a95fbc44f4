"""Daily player predictions: raw game logs to churn, payment and clusters, as a Dagster graph."""

import os

# Threads that wait for each other sleep: on a machine with other work to do, where they turn round
# and round by default, learning took five times as long. It is read as libraries are loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
