"""What documents and money mean for the books: facts, in sets. Reads only; ``services.journal`` writes them down."""
