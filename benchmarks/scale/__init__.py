"""What a given size of game needs and costs: `python -m benchmarks.scale`.

Scope: `results` reads stored figures, `assumptions` and `prices` what is not measured here, `plan`
computes, `page` writes `docs/scale.md`.
"""
