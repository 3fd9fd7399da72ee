"""What a plan costs on its devices, a file an oracle."""
