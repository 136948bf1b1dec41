"""The Python interface, for notebooks and programs: what the command line does, as functions that return values.

Nothing is trained or asked of a server in the caller's own process, whose packages are loaded and whose threads run already: each
call is a fresh samebits process, awaited, whose progress is shown. The caller's folder, environment and warnings stay as they are.
The door is `functions`, which `import samebits` hands on.
"""
