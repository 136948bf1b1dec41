"""What makes bits equal: seeds for every place that draws, threads and kernels pinned and read back, a probe of what they compute.

No config, table or model is known here. The promise: nothing that is not on record chooses a number.
"""
