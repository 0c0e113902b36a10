"""Trust services for tests and demos; never to be trusted in production, and they say so."""
