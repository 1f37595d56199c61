"""The index on tantivy, in a folder or in memory."""
