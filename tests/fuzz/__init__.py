"""Fuzzing: one target per parser; any bytes are parsed or refused by a fault, never anything else."""
