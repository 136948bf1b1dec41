"""A config proposed for a table that samebits sees for the first time: complete, commented, and tried as `train` would take it.

How the table is written, what its columns look like and what gives the target away is found by looking; what is proposed is written
into the config with the reason beside it, so that a reader can disagree. Nothing is trained. The door is `proposal.propose_config`.
"""
