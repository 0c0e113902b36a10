"""What somebody with every right on the database and the archives could do, and that it is found."""
