"""A simulated mobile game: event logs of any size, and the truth about its users.

Its hidden parameters are known, so predictions can be compared with the best that is possible.

Scope: the game and its logs. Nothing here reads the pipeline's code or data.
"""

from ds_assets.simulate.options import Injected, SimulationOptions, SimulationSummary
from ds_assets.simulate.responses import OfferedUsers, OfferKind
from ds_assets.simulate.run import ProgressCallback, Simulation, simulate

__all__ = [
    "Injected",
    "OfferKind",
    "OfferedUsers",
    "ProgressCallback",
    "Simulation",
    "SimulationOptions",
    "SimulationSummary",
    "simulate",
]
