"""The tracking server: the run that is open there, what is written to it, what it has of earlier runs, and the archive beside them.

Nothing is trained or compared here. The promise: the lineage is written last, so that a run with one is complete.
"""
