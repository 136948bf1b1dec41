"""Where tables are brought from: buckets, web addresses, the Hugging Face hub, DVC's stores, databases.

What comes is digested on its way and kept by that digest in the user's own cache, under its final name only once it is whole. The
door is `bringing`. Nothing here knows what a table holds.
"""
