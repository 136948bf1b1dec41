"""One module per command: it reads words, calls the wings, prints, and gives the verdict.

What a command decides is decided in the wings below; here is only what a person types and reads.
"""
