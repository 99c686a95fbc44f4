"""Controls: the same work without this project, or one part of it alone; see each module."""
