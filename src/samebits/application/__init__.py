"""A recorded model applied to later rows: predictions, and how far these rows have drifted from those that it was made of.

The model is held to its run's record before it is loaded, and a table is read as the run read its own, in parts, so that it may be
larger than memory. Nothing here asks a server but through `holdings`.
"""
