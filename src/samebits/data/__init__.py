"""The table of a run: its target, which rows are used for what, and how later data may drift from it.

How a file is read is `table`. Nothing is fitted here, so that nothing learned from test rows can reach a model.
"""
