"""The daily training procedure: challenger, champion and group models."""
