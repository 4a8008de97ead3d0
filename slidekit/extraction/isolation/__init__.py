"""A slide in a process of its own: what it may take, how it ends, and its second chance."""
