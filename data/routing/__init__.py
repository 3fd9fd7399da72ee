"""Roads whose times are uncertain: graphs, generators, a file of one's own."""
