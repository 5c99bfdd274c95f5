"""Area and delay of a design: recipes, libraries, targets, records."""
