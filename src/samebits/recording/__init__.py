"""Recording: one training as one run, from opening it on the server to comparing it with earlier runs of the same inputs.

`train` records one, a backtest one for each of its windows: it is the same run either way. Importing `run`
imports all that a training needs, MLflow too.
"""
