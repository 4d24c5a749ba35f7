"""What the files of `docs/benchmarks` say, as Markdown: a module for each kind of file."""
