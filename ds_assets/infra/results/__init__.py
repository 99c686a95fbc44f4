"""The results database: SQLite or MySQL."""
