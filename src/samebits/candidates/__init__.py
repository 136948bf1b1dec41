"""The candidates of a run: built as pipelines, fitted, and compared by cross-validation, with the same bits wherever a fold runs.

The door is `selection.score_candidates`, on what `materials.prepare_materials` made ready. Which one wins and what is made of it is
for `training`.
"""
