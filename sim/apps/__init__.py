"""Work for generated arrays: matrix products of any size, and a network."""
