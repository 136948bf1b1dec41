"""The model registry: a finished run's model as a version of a registered model, and the alias that says which is in use.

A version is made once for a run, whoever asks again. The alias moves by the rule that the run's config wrote down before anything was
trained, and by nothing else; why it moved, or did not, stands on the version. The door is `registration.register_run`.
"""
