"""Events on their way: into the database (`log`), and out of it to a receiver (`cloud`, `sender`)."""
