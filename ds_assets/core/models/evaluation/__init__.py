"""How good predictions are: metrics, baselines and drift."""
