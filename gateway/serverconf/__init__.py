"""This server's own clients, services and access rights."""
