"""Log files: appended to by several processes, rotated, compressed, and kept within bounds."""
