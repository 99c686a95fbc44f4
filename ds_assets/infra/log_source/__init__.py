"""Where the game leaves its logs: a folder, or S3."""
