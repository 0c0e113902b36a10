"""The synthetic population that all registries' data are drawn from, so that they agree with one another."""
