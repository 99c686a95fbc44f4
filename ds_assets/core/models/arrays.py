"""Array types that the models share."""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.bool_]


Floats = NDArray[np.float64]


Matrix = NDArray[np.float32]
"""Encoded features, shape (rows, features)."""
