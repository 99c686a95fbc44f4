"""The effect of a promotion on each user, and whom to treat."""
