"""The Ray image on every Node: from where it is to one of them, and from there to the others."""
