"""Keys: every parameter of a run, its type, range and meaning.

The classes are also the JSON Schema that editors complete from, so each field says what it is for. How a file becomes a config, or is
refused, is `config`.
"""
