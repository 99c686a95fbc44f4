"""A simulated mobile game: event logs of any size, and the truth about its users.

Belongs here: a game whose hidden parameters are known, so that predictions can be compared with
the best that could be predicted. Nothing here reads the pipeline's code or data.
"""

from ds_assets.simulate.options import Injected, SimulationOptions, SimulationSummary
from ds_assets.simulate.run import simulate

__all__ = ["Injected", "SimulationOptions", "SimulationSummary", "simulate"]
