"""A team's store of tables and models by the SHA-256 of their bytes: a folder or a bucket.

What is put there is whole or not there at all, never written over, and held to its digest when it comes back. Which tables a config or
a run has, and what is done with them, is for those who call.
"""
