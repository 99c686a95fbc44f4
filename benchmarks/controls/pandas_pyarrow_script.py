"""The control in pandas with its pyarrow reader: `python -m … LOGS_DIR OUT_DIR`."""

from benchmarks.controls.pandas_script import main, read_file_by_pyarrow

if __name__ == "__main__":
    main(read_file_by_pyarrow)
