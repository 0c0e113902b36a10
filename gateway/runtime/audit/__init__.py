"""The trail of people's deeds: one line of JSON each, linked by hashes, in files that only grow."""
