"""What a run made, whole on disk: a parcel in the user's spool, complete before any of it is sent, and held to its own lineage.

No server is asked here. The promise: what was computed stands in a folder that nobody deletes before its server has all of it.
"""
