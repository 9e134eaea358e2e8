"""Images as a reader would see them (`read`) and places on them (`boxes`)."""
