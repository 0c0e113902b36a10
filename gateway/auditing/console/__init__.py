"""Pages for auditors, rendered on the server: search, record, report, exports, samples, completeness."""
