"""How a parcel comes to its server, whatever happens on the way: sent, listed back, and only then let go.

Nothing is trained here and nothing judged. The promise: what was computed is on the server, complete, or it waits; never neither.
"""
