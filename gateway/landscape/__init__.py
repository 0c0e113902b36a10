"""`surma demo`: a whole federation on one machine, started as processes and onboarded by HTTP alone."""
