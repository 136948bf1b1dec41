"""One fitted model: the digest of its content, its canonical file, and how MLflow lays it out.

How it was fitted is not known here. The promise: equal models have equal digests and equal files, and loading one runs
no stranger's code.
"""
