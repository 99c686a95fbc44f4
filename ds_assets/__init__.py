"""Daily player predictions: raw game logs to churn, payment and clusters, as a Dagster graph."""
