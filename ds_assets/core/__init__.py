"""Plain functions on tables and arrays: no Dagster, no cloud, no database."""
