"""Backtesting: the same config trained for a sequence of cut-off times, each window a run like any other, and a summary above them.

What a window trains is decided by the config and the table alone, as keys of its split, so that the run of a window is the run of
that config. The loop itself is the command's; here is which windows there are, which of them are there already, and what they come to.
"""
