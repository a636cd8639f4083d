//! The names of everything one job writes.

use crate::failure::{Class, Failure};
use llmq_plugin_api::wire::{Container, FormatDescriptor, Plan};
use std::path::{Path, PathBuf};

/// Where the output goes and what it is called on the way.
#[derive(Debug, Clone)]
pub struct Target {
    /// Folder that holds the output.
    pub dir: PathBuf,
    /// Name without ending.
    pub stem: String,
    name: String,
    container: Container,
}

impl Target {
    /// Names an output. A given name may carry the format's ending; otherwise the name is `<model>-<level>`.
    pub fn new(
        dir: &Path,
        given: Option<&str>,
        model: &str,
        level: &str,
        format: &FormatDescriptor,
    ) -> Result<Target, Failure> {
        let ending = match format.container {
            Container::File if !format.extension.is_empty() => format!(".{}", format.extension),
            _ => String::new(),
        };
        let stem = match given {
            Some(name) => name.strip_suffix(ending.as_str()).unwrap_or(name).to_owned(),
            // A model name can come from a file; a path separator in it must not become a folder.
            None => format!("{model}-{level}").replace(['/', '\\', ':', '\0'], "-"),
        };
        if stem.is_empty() || stem.starts_with('.') || stem.contains(['/', '\\', '\0']) || stem.ends_with(".partial") {
            let message = format!("`{stem}` cannot be the name of an output");
            let hint = "Give a plain file name to --output-name and the folder to --output-dir.";
            return Err(Failure::new(Class::InvalidArguments, message).suggest(hint));
        }
        // Absolute, so that a script finds the output wherever it looks from.
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
        Ok(Target { dir, name: format!("{stem}{ending}"), stem, container: format.container })
    }

    /// Name of the output as shown, and of its checkpoint folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the output is a folder.
    pub fn is_folder(&self) -> bool {
        self.container == Container::Folder
    }

    /// The whole output: the folder, or the first file.
    pub fn output(&self, plan: &Plan) -> PathBuf {
        match (self.container, plan.files.first()) {
            (Container::File, Some(file)) => self.dir.join(&file.name),
            _ => self.dir.join(&self.name),
        }
    }

    /// A working name that can be renamed as a whole: `.partial` while it grows, `.rejected` if validation refused it.
    /// One pair per file, or one pair for the folder.
    pub fn renames(&self, plan: &Plan, ending: &str) -> Vec<(PathBuf, PathBuf)> {
        let pair = |name: &str| (self.dir.join(format!("{name}{ending}")), self.dir.join(name));
        match self.container {
            Container::Folder => vec![pair(&self.name)],
            Container::File => plan.files.iter().map(|f| pair(&f.name)).collect(),
        }
    }

    /// Working names of the plan's files, in the plan's order.
    pub fn partial_files(&self, plan: &Plan) -> Vec<PathBuf> {
        let path = |name: &String| match self.container {
            Container::Folder => self.dir.join(format!("{}.partial", self.name)).join(name),
            Container::File => self.dir.join(format!("{name}.partial")),
        };
        plan.files.iter().map(|f| path(&f.name)).collect()
    }

    /// Whether anything has a working name of this output.
    pub fn is_growing(&self, plan: &Plan) -> bool {
        self.renames(plan, ".partial").iter().any(|(partial, _)| std::fs::symlink_metadata(partial).is_ok())
    }

    /// Final names of the plan's files, in the plan's order.
    pub fn final_files(&self, plan: &Plan) -> Vec<PathBuf> {
        let root = if self.is_folder() { self.dir.join(&self.name) } else { self.dir.clone() };
        plan.files.iter().map(|f| root.join(&f.name)).collect()
    }

    /// Checks what [`Plan::check`] cannot know: that a file format does not ask for folders, and that there is a file.
    pub fn check(&self, plan: &Plan) -> Result<(), Failure> {
        if plan.files.is_empty() {
            return Err(Failure::new(Class::General, "the backend's plan has no output file"));
        }
        let nested = plan.files.iter().find(|f| f.name.contains('/'));
        match nested.filter(|_| self.container == Container::File) {
            Some(file) => {
                let message =
                    format!("the backend's plan puts `{}` in a folder, but its format is a single file", file.name);
                Err(Failure::new(Class::General, message))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(container: Container, extension: &str) -> FormatDescriptor {
        let json = serde_json::json!({"id": "t", "summary": "", "can_write": true, "can_read": true,
            "container": container, "extension": extension, "levels": []});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn names_with_and_without_ending() {
        let file = format(Container::File, "gguf");
        let name = |given: Option<&str>| Target::new(Path::new("o"), given, "org/m", "Q4_0", &file).map(|t| t.name);
        assert_eq!(name(None).unwrap(), "org-m-Q4_0.gguf");
        assert_eq!(name(Some("x.gguf")).unwrap(), "x.gguf");
        assert_eq!(name(Some("x.v2")).unwrap(), "x.v2.gguf");
        for bad in ["", ".gguf", "..", "a/b", "/etc/x", ".hidden", "x.partial"] {
            assert_eq!(name(Some(bad)).unwrap_err().class, Class::InvalidArguments, "{bad}");
        }
        let folder = Target::new(Path::new("o"), None, "m", "4bit", &format(Container::Folder, "ignored")).unwrap();
        assert_eq!(folder.name(), "m-4bit");
    }
}
