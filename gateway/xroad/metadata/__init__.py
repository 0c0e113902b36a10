"""What security servers tell about clients and services: the metadata services (PR-META, PR-MREST)."""
