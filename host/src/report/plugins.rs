//! Plugins in words and as objects: the list, one plugin's portrait, and why some are not used.

use super::{Align, Table};
use crate::plugins::{Catalogue, Entry, Folder, Probed, Searched, Status, Tier};
use llmq_plugin_api::wire::{Descriptor, FormatDescriptor, OptionKind};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;

/// One plugin that loaded.
#[derive(Debug, Serialize)]
pub struct PluginPortrait {
    /// Its file.
    pub path: PathBuf,
    /// Why its folder was searched.
    pub tier: Tier,
    /// Interface version it was built with.
    pub api: String,
    /// Whether that is an older minor version than this program's.
    pub older_interface: bool,
    /// What it says of itself.
    #[serde(flatten)]
    pub descriptor: Descriptor,
}

/// One file and what became of it in a child process.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// The catalogue's view.
    #[serde(flatten)]
    pub entry: Entry,
    /// Whether it can be used.
    pub healthy: bool,
    /// What happened when it was loaded; absent if its status forbids that.
    pub probe: Option<Probed>,
}

/// `plugins list` as an object.
pub fn plugin_rows(catalogue: &Catalogue) -> Value {
    let row = |entry: &Entry| {
        let manifest = entry.manifest.as_ref();
        json!({
            "id": entry.id(),
            "status": entry.status.word(),
            "reason": entry.status.reason(),
            "path": entry.path,
            "tier": entry.tier,
            "version": manifest.map(|m| &m.version),
            "api": manifest.map(|m| &m.api),
            "formats": manifest.map(|m| &m.formats),
            "summary": manifest.map(|m| &m.summary),
            "license": manifest.map(|m| &m.license),
        })
    };
    json!({ "plugins": catalogue.entries.iter().map(row).collect::<Vec<_>>(), "searched": catalogue.searched })
}

/// `plugins list` in words: usable ones as a table, then every other one with its reason.
pub fn plugin_list(catalogue: &Catalogue) -> String {
    let columns = ["ID", "VERSION", "FORMATS", "STATUS", "PATH"].map(|heading| (heading, Align::Left));
    let mut table = Table::new(&columns);
    for entry in &catalogue.entries {
        let manifest = entry.manifest.as_ref();
        table.row([
            entry.id(),
            manifest.map_or("-".into(), |m| m.version.clone()),
            manifest.map_or("-".into(), |m| m.formats.join(", ")),
            entry.status.word().into(),
            entry.path.display().to_string(),
        ]);
    }
    if catalogue.entries.is_empty() {
        return format!("No plugin was found. Searched:\n{}", folders(&catalogue.searched));
    }
    let mut text = table.render();
    for entry in catalogue.entries.iter().filter(|entry| !entry.status.reason().is_empty()) {
        text.push_str(&format!("\n{} is {}: {}\n", entry.path.display(), entry.status.word(), entry.status.reason()));
    }
    text
}

/// `plugins info` in words.
pub fn plugin_info(portrait: &PluginPortrait) -> String {
    let descriptor = &portrait.descriptor;
    let interface = if portrait.older_interface { ", an older minor version" } else { "" };
    let devices = descriptor.devices.iter().map(|device| format!("{device:?}").to_lowercase()).collect::<Vec<_>>();
    let mut text = format!(
        "{} {}\n{}\n\nFile: {} ({})\nInterface: {}{interface}\nLicence: {}\nDevices: {}\n",
        descriptor.id,
        descriptor.version,
        descriptor.summary,
        portrait.path.display(),
        portrait.tier,
        portrait.api,
        descriptor.license,
        devices.join(", ")
    );
    for format in &descriptor.formats {
        text.push('\n');
        text.push_str(&format_section(format));
    }
    text
}

fn format_section(format: &FormatDescriptor) -> String {
    let abilities = match (format.can_write, format.can_read) {
        (true, true) => "writes and reads",
        (true, false) => "writes",
        (false, true) => "reads",
        (false, false) => "neither writes nor reads",
    };
    let mut text = format!("Format {} ({abilities}): {}\n", format.id, format.summary);
    let mut levels = Table::new(&[("  LEVEL", Align::Left), ("BITS", Align::Right), ("", Align::Left)]);
    for level in &format.levels {
        levels.row([format!("  {}", level.id), format!("{:.2}", level.bits_per_weight), level.summary.clone()]);
    }
    text.push_str(&levels.render());
    if !format.options.is_empty() {
        let mut options = Table::new(&[("  OPTION", Align::Left), ("VALUE", Align::Left), ("", Align::Left)]);
        for option in &format.options {
            let name = format!("  --{}", option.name.replace('_', "-"));
            options.row([name, kind(&option.kind), option.help.clone()]);
        }
        text.push_str(&options.render());
    }
    text
}

fn kind(kind: &OptionKind) -> String {
    match kind {
        OptionKind::Text => "text".into(),
        OptionKind::Texts => "text, repeatable".into(),
        OptionKind::Flag => "true or false".into(),
        OptionKind::Integer { min, max } => format!("{min} to {max}"),
        OptionKind::Number { min, max } => format!("{min} to {max}"),
        OptionKind::Choice { values } => values.join("|"),
    }
}

/// `plugins doctor` as an object.
pub fn doctor_object(searched: &[Searched], diagnoses: &[Diagnosis]) -> Value {
    // A plugin that another one hides, or that the user switched off, is as it should be.
    let fine = |d: &Diagnosis| d.healthy || matches!(d.entry.status, Status::Shadowed { .. } | Status::Disabled(_));
    json!({ "healthy": diagnoses.iter().all(fine), "plugins": diagnoses, "searched": searched })
}

/// `plugins doctor` in words.
pub fn doctor(searched: &[Searched], diagnoses: &[Diagnosis]) -> String {
    let mut text = String::new();
    if !searched.is_empty() {
        text.push_str(&format!("Folders, first wins:\n{}\n", folders(searched)));
    }
    if diagnoses.is_empty() {
        text.push_str("No plugin was found in them.\n");
    }
    for diagnosis in diagnoses {
        let (word, reason) = verdict(diagnosis);
        text.push_str(&format!("{} ({}): {word}\n", diagnosis.entry.id(), diagnosis.entry.path.display()));
        text.extend(reason.lines().map(|line| format!("  {line}\n")));
    }
    text
}

fn verdict(diagnosis: &Diagnosis) -> (&'static str, String) {
    match &diagnosis.probe {
        None => (diagnosis.entry.status.word(), diagnosis.entry.status.reason()),
        Some(Probed::Loads { version, older_interface, descriptor, .. }) => {
            let formats: Vec<&str> = descriptor.formats.iter().map(|format| format.id.as_str()).collect();
            let interface = if *older_interface { "an older minor version of the interface" } else { "this interface" };
            ("works", format!("version {version}, built for {interface}, formats: {}", formats.join(", ")))
        }
        Some(Probed::Refused { message, incompatible: true, .. }) => ("incompatible", message.clone()),
        Some(Probed::Refused { message, .. }) => ("broken", message.clone()),
        Some(Probed::Crashed { message }) => ("crashed", message.clone()),
        Some(Probed::Hung { message }) => ("hung", message.clone()),
    }
}

fn folders(searched: &[Searched]) -> String {
    let mut table = Table::new(&[("", Align::Left); 3]);
    for folder in searched {
        let found = match &folder.found {
            Folder::Read(1) => "1 plugin file".into(),
            Folder::Read(count) => format!("{count} plugin files"),
            Folder::Absent => "does not exist".into(),
            Folder::Refused(reason) => format!("refused: {reason}"),
        };
        table.row([format!("  {}", folder.path.display()), format!("({})", folder.tier), found]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let entry = |name: &str, status| Entry {
            path: format!("/p/libllmq_{name}.so").into(),
            tier: Tier::PluginDir,
            manifest: None,
            status,
        };
        Catalogue {
            searched: vec![
                Searched { path: "/p".into(), tier: Tier::PluginDir, found: Folder::Read(2) },
                Searched { path: "/q".into(), tier: Tier::User, found: Folder::Absent },
            ],
            entries: vec![
                entry("gguf", Status::Shadowed { by: "/o/libllmq_gguf.so".into() }),
                entry("awq", Status::Untrusted("its folder is writable for everybody".into())),
            ],
        }
    }

    #[test]
    fn every_unusable_plugin_is_listed_with_its_reason() {
        let text = plugin_list(&catalogue());
        assert!(
            text.starts_with("ID    VERSION  FORMATS  STATUS     PATH\ngguf  -        -        shadowed   /p/"),
            "{text}"
        );
        assert!(
            text.contains("/p/libllmq_gguf.so is shadowed: /o/libllmq_gguf.so has the same id and comes first"),
            "{text}"
        );
        assert!(text.contains("/p/libllmq_awq.so is untrusted: its folder is writable for everybody"), "{text}");
        let rows = plugin_rows(&catalogue());
        assert_eq!(rows["plugins"][1]["status"], "untrusted");
        assert_eq!(rows["plugins"][1]["reason"], "its folder is writable for everybody");
    }

    #[test]
    fn without_plugins_the_searched_folders_are_shown() {
        let text = plugin_list(&Catalogue { entries: vec![], ..catalogue() });
        assert!(text.contains("  /p  (--plugin-dir)  2 plugin files\n  /q  (user folder)   does not exist"), "{text}");
    }

    #[test]
    fn the_doctor_names_what_a_probe_found() {
        let mut entry = catalogue().entries.remove(0);
        entry.status = Status::Usable;
        let probe = Some(Probed::Crashed { message: "it was ended by signal 11".into() });
        let diagnosis = Diagnosis { entry, healthy: false, probe };
        assert_eq!(doctor(&[], &[diagnosis]), "gguf (/p/libllmq_gguf.so): crashed\n  it was ended by signal 11\n");
    }
}
