"""The schema of the message log database."""
