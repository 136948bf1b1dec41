"""A table on disk, for tables larger than memory: what is computed of one row at a time stays in memory, the rows themselves do not.

Nothing is decided here of what a value means: that is `table`.
"""
