"""The search for parameters: which trials are asked for, what each of them scores, and which of a candidate's is the best.

The door is `searching.search_candidates`. A trial is a candidate of a config with some of its values replaced; its folds are units
like any other's, so that the same search comes to the same bits at any number of workers, and whether or not it was interrupted.
"""
