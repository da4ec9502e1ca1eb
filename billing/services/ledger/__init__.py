"""The books: accounts, the journal, its exports, accounting periods."""
