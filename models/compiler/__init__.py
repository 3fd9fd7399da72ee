"""Networks that say which pass sequences suit a program."""
