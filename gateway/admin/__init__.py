"""The admin API of a security server, port 4000: routes over the areas, each change one transaction."""
