"""Provider proxy: another server asks, we prove and allow the request and call our information system."""
