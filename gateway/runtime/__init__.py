"""What any long-running process needs: settings, database, logs, listeners. Knows nothing of X-Road."""
