//! ggml's block types, byte for byte as the reference writes them.
