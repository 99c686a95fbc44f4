"""Answers about players, at once: what is predicted, and where the answer comes from."""
