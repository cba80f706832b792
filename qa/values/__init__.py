"""What a span says: measures, numbers, dates and names, and whether two of them can both hold."""
