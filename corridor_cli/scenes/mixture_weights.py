"""The weights of `mixture_chance.py`, written by `scripts/train_mixtures.py`: not to be edited."""

# Mean, standard deviation and weight of each term.
WEIGHTS = {
    "length": (3.2127, 0.42314, 1.0265),
    "misfit": (0.047312, 0.034593, 0.1784),
    "roughness": (1.4876, 0.97836, -2.8528),
    "step": (1.2724, 0.9055, 1.0727),
    "sag_first": (0.49257, 0.74464, -0.1568),
    "sag_second": (0.48074, 0.75715, -0.3934),
    "bend": (0.15745, 0.2443, 0.4839),
    "residual": (0.24068, 0.20562, -1.7419),
    "lag": (0.1449, 0.15388, -1.5778),
    "blocks_without": (0.15421, 0.19599, -0.5057),
    "block_sag": (0.98848, 0.52742, -0.3847),
    "correlation": (0.34136, 0.40995, 1.3360),
    "match": (0.5813, 0.17723, 0.5123),
    "texture_loss": (0.43706, 0.27867, 0.8261),
    "plainer": (5.0578, 0.73752, 0.3168),
    "richer": (5.968, 0.65815, 0.7928),
    "sag_first off 1": (0.6167, 0.50621, -0.7092),
    "sag_second off 1": (0.63475, 0.50795, -0.7197),
    "block_sag off 1": (0.3821, 0.35685, -0.5019),
    "roughness²": (3.1701, 3.8526, 0.4001),
    "match²": (0.36932, 0.22505, -2.0488),
    "correlation²": (0.28459, 0.31835, -0.9794),
    "residual²": (0.10021, 0.22815, -0.1317),
    "bend²": (0.084474, 0.28786, 3.8326),
    "roughness · match": (0.86655, 0.68016, 0.5284),
    "match · correlation": (0.24131, 0.30993, -0.5176),
    "roughness · residual": (0.50881, 0.74155, -0.1214),
}
BIAS = 5.6799
