"""Pictures of what devices do at several frequencies."""
