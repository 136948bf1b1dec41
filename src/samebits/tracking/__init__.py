"""The tracking server, asked: its address, who answers there, how long it may be silent, and what its failures mean.

What is sent to it is `delivery`, what it holds of earlier runs `holdings`. The promise: no question to a server waits for ever.
"""
