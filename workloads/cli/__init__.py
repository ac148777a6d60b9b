"""The `piray` command: options in, files and tables out; decides nothing that another package could."""
