"""The code and the environment that make a run, identified as it runs: the promise is that what is recorded is what ran.

It asks Git and the installer, and trains nothing. How they are brought back is `restoring`.
"""
