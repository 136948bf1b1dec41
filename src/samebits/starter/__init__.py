"""A project of one's own, written: an MLflow project with samebits as a dependency, in which train and reproduce work at once.

It trains nothing. The promise: nothing that a user wrote is lost or overwritten, and every file that is written here and not edited
since can be brought up to a later samebits.
"""
