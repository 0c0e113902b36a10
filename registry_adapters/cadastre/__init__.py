"""The land cadastre: parcels, who has rights in them, what they are worth and where they lie."""
