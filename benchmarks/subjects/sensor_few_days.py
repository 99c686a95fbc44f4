"""The sensor over few days: `python -m benchmarks.subjects.sensor_few_days DAYS FILES HOME`."""

from benchmarks.sensor_ticks import main

if __name__ == "__main__":
    main()
