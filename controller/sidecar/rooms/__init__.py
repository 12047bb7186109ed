"""The private API: holders of an access token create, read and change rooms."""
