"""From a config to everything that a run makes, by one function that fits on a screen: `training.make_training`.

No server is touched here: what was made is returned, and `tracking` records it. `train` and `reproduce` both end up here.
"""
