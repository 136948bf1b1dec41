"""Whose code runs here, and with what of the caller's: asked before a run is brought back, and handed down by a list of names.

It knows no server and starts nothing. The promise: no stranger is obeyed because of what a record says of itself.
"""
