"""What the registry says, signed and published."""
