"""Routes of the admin API, a module per part of the reference's OpenAPI file."""
