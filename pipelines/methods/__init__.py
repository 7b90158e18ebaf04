"""Statistical methods: pure functions over polars frames; no file, no clock, no connection."""
