"""The set of labelled videos on which scene detectors are compared; see `scripts/eval_scenes.py`."""
