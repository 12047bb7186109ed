"""The private API: rooms made, read and changed by whoever holds an access token."""
