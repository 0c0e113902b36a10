"""Who may use an admin API: keys, and the roles they carry as opaque strings."""
