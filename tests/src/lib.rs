//! What the whole-tool tests share: fresh folders, the built binary, tiny models, outside judges.
