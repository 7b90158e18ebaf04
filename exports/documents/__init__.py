"""Documents in words: half-yearly bulletin, yearly assessment, key findings of the innovation survey."""
