"""The models of targets, by the stages of a model's life."""
