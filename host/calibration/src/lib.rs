//! Statistics of what arrives at every linear layer, gathered without loss and kept in a file that merges.

#![forbid(unsafe_code)]
