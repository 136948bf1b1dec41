"""Steps: a run's table made of raw files, each step in a process of its own, kept by digest, and run again where anything changed.

It reads no table and knows no server. The promise: what a step was made of is on record (inputs, parameters, modules), what nobody
declared is refused by name, and nothing is written over that a step did not write.
"""
