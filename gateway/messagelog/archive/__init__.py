"""Archives of the message log: files that carry records for longer than the database keeps them."""
