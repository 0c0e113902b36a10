"""Certificates, certificate status and time-stamps."""
