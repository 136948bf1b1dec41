"""What is held of earlier runs, and where: the run that is meant, its files on the server, its table and its commit wherever they lie.

Nothing that is found here is believed: it is held to the record by whoever asked.
"""
