//! The host as a library, so that the binary and the tests call the same code.
