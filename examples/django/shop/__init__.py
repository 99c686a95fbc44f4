"""The shop of a game: a page that shows which offer a player sees, and why."""
