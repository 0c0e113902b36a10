"""Citizen's view: what was asked about a person, by whom and why; and requests to correct what is held."""
