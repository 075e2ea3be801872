"""Published weights: safe reading, one name map per publisher, conversion, the zoo and its cache."""
