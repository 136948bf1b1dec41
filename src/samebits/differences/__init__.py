"""What differs between two tables, models, predictions or lineages, in words, and what follows for the verdict.

It is told what to compare; what a difference proves is `proof`.
"""
