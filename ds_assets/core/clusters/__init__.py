"""Clusters of users: found, named, described and followed from day to day."""
