"""What the rules for English know: words, and how they make clauses and phrases."""
