"""The table: how its files are read, what its columns are, which rows are used for what, and how later data may drift from it.

What is digested is what is parsed. Nothing is fitted here, so that nothing learned from test rows can reach a model.
"""
