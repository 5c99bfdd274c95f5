"""What the golden model says each unit must answer."""
