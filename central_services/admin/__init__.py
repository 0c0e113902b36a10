"""The admin API of the central services on port 4000."""
