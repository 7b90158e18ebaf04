"""How long things take, beside a named rival in the same run: ``python -m bench``. Nothing here is imported by the product."""
