"""Running sums of products, one module per style of accumulation."""
