"""Controls: the same work without this project, or a part of it alone; see each one."""
