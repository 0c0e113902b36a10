"""The multipart between two security servers (PR-MESSTRANSP)."""
