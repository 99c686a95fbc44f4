"""The results database, in SQLite, MySQL or PostgreSQL."""
