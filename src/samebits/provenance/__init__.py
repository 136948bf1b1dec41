"""The code and the environment that made a run: identified when it runs, and brought back when it is made again.

It asks Git and the installer, and trains nothing. The promise: what is recorded is what ran.
"""
