"""Operations on codes, element by element: exact inside, rounded once."""
