"""What auditors work with: one way to search, show, prove and take away, over a server's log or over archives alone."""
