"""From stored model files to predictions and their reasons."""
