"""What a number format costs in accuracy: noise of quantized tensors, and errors of their dot products."""
