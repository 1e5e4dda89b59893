"""The parts of `install` and `uninstall`."""
