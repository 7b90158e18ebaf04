"""The demo: a believable province whose workbooks go the whole way through the user's own commands."""
