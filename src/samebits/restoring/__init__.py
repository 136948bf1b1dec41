"""A recorded run brought back, from its id alone, into a fresh folder; and trained there again.

The door is `restored_run.restore_run`. Whether what comes out is the same is for `proof`.
"""
