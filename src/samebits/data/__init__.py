"""The table of a run: columns derived from it, its target, which rows are used for what, and how later data may drift.

How a file is read is `table`. Nothing is fitted here, so that nothing learned from test rows can reach a model.
"""
