"""Where tables are brought from: buckets, web addresses, the Hugging Face hub, DVC's stores, databases, versions of Delta tables.

The door is `bringing`. Nothing here knows what a table holds.
"""
