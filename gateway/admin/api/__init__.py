"""One module of routes per area of the reference's API."""
