//! Forward pass of decoder models, layer by layer: slices in, slices out.

#![forbid(unsafe_code)]
