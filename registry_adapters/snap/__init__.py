"""The counter of a service centre: life events as recipes, cases that fill themselves from registries."""
