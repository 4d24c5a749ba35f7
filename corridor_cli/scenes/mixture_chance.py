"""How likely a window is a dissolve, by what was measured of it: a logistic regression."""

from __future__ import annotations

from math import exp

import numpy as np

from corridor_cli.scenes.mixture_terms import MAX_DEVIATION, TERMS, Numbers, terms_of
from corridor_cli.scenes.mixture_weights import BIAS, WEIGHTS

_MEANS, _DEVIATIONS, _WEIGHTS = np.array([WEIGHTS[name] for name in TERMS]).T


def chance(features: Numbers) -> float:
    """0 to 1, of the values of `mixture_terms.FEATURES`."""
    apart = np.clip((terms_of(features) - _MEANS) / _DEVIATIONS, -MAX_DEVIATION, MAX_DEVIATION)
    return 1 / (1 + exp(-(BIAS + float(apart @ _WEIGHTS))))
