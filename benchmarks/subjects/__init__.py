"""What is measured of this project: each module is one whole process."""
