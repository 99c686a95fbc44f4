"""The log source: a folder, or an S3 bucket."""
