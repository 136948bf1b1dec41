"""What a run is asked to do: the keys of a config, which of them decide, and how a file becomes a config or is refused.

Every key is checked, and everything wrong is said at once with its line, before any table is read. What a table must have is not
known here. The door is `loading`.
"""
