"""Reading Liberty files: groups and attributes, and the boolean functions in them."""
