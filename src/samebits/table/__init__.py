"""The table as its owner wrote it: which files it is, how they are read, and one canonical form per kind of column.

What a run does with the columns is `data`. The promise: what is digested is what is parsed, and no column passes through a number on
its way to something else. The door is `reading`.
"""
