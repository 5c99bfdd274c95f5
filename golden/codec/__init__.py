"""From real numbers to codes and back, each number rounded once."""
