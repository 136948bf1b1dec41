"""How what a run made comes to the server, whatever happens on the way.

It is packed whole in a folder of the user's, sent, listed back, and only then let go. Nothing is trained here and nothing judged.
The promise: what was computed is on the server, complete, or it waits in the spool; never neither.
"""
