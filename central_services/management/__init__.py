"""Management requests: submitted, decided, and what they change in the registry."""
