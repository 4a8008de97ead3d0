"""Files that slidekit writes and reads back: records, slides, and files that appear whole."""
