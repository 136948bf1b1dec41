"""Git: what a repository holds, what a working tree holds beside its commit, and a commit brought back.

Git is asked in words, of objects and never of what its index believes; what changes nothing for a user is done in repositories of our
own. What of all this is recorded with a run is for `provenance`.
"""
