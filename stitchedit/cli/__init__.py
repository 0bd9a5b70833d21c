"""The command line: parse, call the library, print. The one place that prints and exits."""
