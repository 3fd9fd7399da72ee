"""Programs, the compilers that transform them pass by pass, and what a program looks like to a network."""
