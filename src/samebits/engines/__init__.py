"""Where the units of a training run: in processes of this machine, or on the workers of a Dask cluster.

A unit plants its own seeds, so where it runs changes no bit, as long as a worker computes as this process does. So each worker is
held to it before its first unit, and one that cannot be is refused by name. No unit talks to the tracking server.
"""
