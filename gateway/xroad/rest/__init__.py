"""REST messages (PR-REST)."""
