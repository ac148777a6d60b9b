"""Small programs that show Ray's ideas, one a file: each is what a teacher shows on a screen."""
