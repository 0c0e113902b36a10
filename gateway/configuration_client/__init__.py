"""Configuration client: download, verify, keep and hand out the global configuration."""
