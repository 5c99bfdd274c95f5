"""From a code of any format to sign, exponent, significand and class."""
