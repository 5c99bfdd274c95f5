"""The units that a user generates, arrays apart."""
