"""What devices do at several frequencies, whatever they are made of."""
