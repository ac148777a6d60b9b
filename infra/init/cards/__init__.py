"""The cards of Pis that have not started yet: what goes onto them, and where."""
