"""What a model says about itself: its card, the card as Markdown, and its metrics as a table."""
