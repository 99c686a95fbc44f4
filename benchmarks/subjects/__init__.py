"""Subjects: what is measured of this project; each module is one process."""
