"""samebits: machine-learning training runs that anybody can make again, bit for bit, and prove it."""

__version__ = "2026.11.4"
