"""Is everything still here, and as it was? The log and its archives against a checkpoint that was kept outside."""
