"""Schema of this server's configuration."""
