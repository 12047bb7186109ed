"""The OpenAPI document of each listener, drawn from the table of calls."""
