"""The demographic registry: persons, their documents and where they live."""
