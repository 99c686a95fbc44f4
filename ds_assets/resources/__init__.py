"""What the assets are given to work with: where logs lie, the lake, databases, caches, engines."""
