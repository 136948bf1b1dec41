"""The record of a run: its stages and their digests, and what of them stands on the server as params, metrics and tags.

Reads every schema so far. How a stage is made from a training is `training.stages`; what differs between two is `differences`.
"""
