"""The message log: evidence of every exchange, recorded before anything leaves, time-stamped, given out."""
