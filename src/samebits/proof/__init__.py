"""Is it the same, and who says so: a run held to its record, made again, and the evidence from which a level is computed.

How a comparison is printed is `commands`. The promise: no verdict without all that it rests on, and what was
not checked is said.
"""
