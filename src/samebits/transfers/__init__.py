"""A file on its way here: read from wherever it lies, digested as it comes, kept by that digest in the user's own cache.

It has its final name only once it is whole. The door is `transfer.bring`. Nothing here knows which kinds of sources there are.
"""
