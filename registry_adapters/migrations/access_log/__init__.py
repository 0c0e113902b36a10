"""Schema of the access log, the same in every registry."""
