"""Who gets in: the ways of asking for a token, and the door that all of them lead to."""
