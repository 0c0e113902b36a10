"""Consumer proxy: a local information system asks, we sign and carry the request to the provider's server."""
