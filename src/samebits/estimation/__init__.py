"""How estimators are fitted and asked: the target's scale, how much each row counts, what a fitted model says, and how that is scored.

Nothing is trained here: which candidates there are, and which one is best, is for `training`. The modules are its doors.
"""
