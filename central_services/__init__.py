"""The central services: the registry, what is published of it, and trust services for tests."""
