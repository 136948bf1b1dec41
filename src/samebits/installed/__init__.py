"""What is installed, file by file: held to what the installer wrote down of it, and packed again where nobody else has it.

A version says what a package is called; its RECORD says which bytes it had. The promise: a package that was changed after it was
installed, and code that runs before a program's own, do not stay unnamed.
"""
