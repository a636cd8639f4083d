//! Reading a plugin file as data: is it a whole shared library of this machine, and what does its manifest say.
//!
//! Nothing here runs or maps the file. That matters: the dynamic loader runs the constructors of any library it opens,
//! and a truncated one ends the process with SIGBUS (both measured).

use llmq_plugin_api::{API_VERSION, wire};
use object::read::{ReadCache, ReadRef};
use object::{Architecture, BinaryFormat, Object, ObjectKind, ObjectSection, ObjectSegment};
use std::env::consts::{ARCH, OS};
use std::fs::File;
use std::path::Path;

/// Cap on a plugin file. The largest that is meant are plugins with embedded GPU kernels, some hundred megabytes.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Cap on the manifest section.
const MAX_MANIFEST_BYTES: u64 = 64 << 10;

/// Why a file cannot be a plugin for this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageFault {
    /// The file is not what it claims to be.
    #[error("{0}")]
    Broken(String),
    /// The file is a sound plugin, for another program.
    #[error("{0}")]
    Incompatible(String),
}

fn broken<T>(reason: impl Into<String>) -> Result<T, ImageFault> {
    Err(ImageFault::Broken(reason.into()))
}

/// Reads the manifest out of a plugin file and checks everything that can be checked without running it.
pub fn read_manifest(path: &Path) -> Result<wire::Manifest, ImageFault> {
    let file = File::open(path).map_err(|e| ImageFault::Broken(format!("it cannot be read: {e}")))?;
    let length = file.metadata().map_err(|e| ImageFault::Broken(format!("it cannot be examined: {e}")))?.len();
    if length == 0 {
        return broken("the file is empty");
    }
    if length > MAX_FILE_BYTES {
        return broken(format!("it has {length} bytes; at most {MAX_FILE_BYTES} are accepted for a plugin"));
    }
    let cache = ReadCache::new(file);
    let image = object::File::parse(&cache).map_err(|error| {
        let cut = if has_library_magic(&cache) { ", it may be cut off" } else { "" };
        ImageFault::Broken(format!("it is not a readable shared library ({error}; {length} bytes{cut})"))
    })?;
    check_machine(&image)?;
    check_complete(&image, length)?;
    let manifest = manifest_section(&image)?;
    check_manifest(&manifest)?;
    Ok(manifest)
}

fn has_library_magic<'a>(data: impl ReadRef<'a>) -> bool {
    data.read_bytes_at(0, 4).is_ok_and(|magic| magic == b"\x7fELF" || magic.starts_with(b"MZ"))
}

/// The loader would refuse a library of another system too, with a far worse sentence.
fn check_machine<'a>(image: &object::File<'a, impl ReadRef<'a>>) -> Result<(), ImageFault> {
    let format = match OS {
        "macos" | "ios" => BinaryFormat::MachO,
        "windows" => BinaryFormat::Pe,
        _ => BinaryFormat::Elf,
    };
    if image.format() != format {
        return broken(format!("it is a {:?} file; this system ({OS}) loads {format:?} files", image.format()));
    }
    let architecture = match ARCH {
        "x86_64" => Some(Architecture::X86_64),
        "aarch64" => Some(Architecture::Aarch64),
        "riscv64" => Some(Architecture::Riscv64),
        "powerpc64" => Some(Architecture::PowerPc64),
        "s390x" => Some(Architecture::S390x),
        // An architecture that nobody has named yet: the dynamic loader judges.
        _ => None,
    };
    if architecture.is_some_and(|ours| ours != image.architecture()) {
        return broken(format!("it was built for {:?}, this program runs on {ARCH}", image.architecture()));
    }
    if image.kind() != ObjectKind::Dynamic {
        return broken(format!("it is not a shared library but of kind {:?}", image.kind()));
    }
    Ok(())
}

/// Every segment and section that the headers promise must lie inside the file.
fn check_complete<'a>(image: &object::File<'a, impl ReadRef<'a>>, length: u64) -> Result<(), ImageFault> {
    let segments = image.segments().map(|s| s.file_range());
    let sections = image.sections().filter_map(|s| s.file_range());
    let end = segments.chain(sections).map(|(offset, bytes)| offset.saturating_add(bytes)).max().unwrap_or(0);
    if end > length {
        return broken(format!("it is cut off: its headers promise {end} bytes, the file has {length}"));
    }
    Ok(())
}

fn manifest_section<'a>(image: &object::File<'a, impl ReadRef<'a>>) -> Result<wire::Manifest, ImageFault> {
    let shortened = &wire::MANIFEST_SECTION[..8]; // Microsoft's linker keeps eight characters of a section's name
    let names = match image.format() {
        BinaryFormat::MachO => [wire::MANIFEST_SECTION_MACH, wire::MANIFEST_SECTION_MACH],
        _ => [wire::MANIFEST_SECTION, shortened],
    };
    let mut found = image.sections().filter(|s| s.name().is_ok_and(|name| names.contains(&name)));
    let Some(section) = found.next() else {
        return broken("it is a shared library, but holds no plugin manifest; `export_plugin!` writes one");
    };
    if found.next().is_some() {
        return broken("it holds more than one plugin manifest; a plugin file exports exactly one backend");
    }
    if section.size() > MAX_MANIFEST_BYTES {
        let size = section.size();
        return broken(format!("its manifest has {size} bytes; at most {MAX_MANIFEST_BYTES} are accepted"));
    }
    let bytes = section.data().map_err(|e| ImageFault::Broken(format!("its manifest cannot be read: {e}")))?;
    // Linkers may pad a section with zeros.
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    let Ok(text) = std::str::from_utf8(&bytes[..end]) else {
        return broken("its manifest is not UTF-8 text");
    };
    wire::decode("manifest", text).or_else(|error| match error {
        wire::WireError::Version { .. } => Err(ImageFault::Incompatible(error.to_string())),
        other => broken(other.to_string()),
    })
}

fn check_manifest(manifest: &wire::Manifest) -> Result<(), ImageFault> {
    let ids = std::iter::once(&manifest.id).chain(&manifest.formats);
    if let Some(id) = ids.into_iter().find(|id| !wire::Manifest::is_id(id)) {
        return broken(format!("its manifest names `{id}`, which cannot be an id; ids are 1 to 64 of a-z, 0-9 and -"));
    }
    if manifest.formats.is_empty() {
        return broken("its manifest names no format");
    }
    let Some(major) = major(&manifest.api) else {
        return broken(format!(
            "its manifest states interface version `{}`, which is not of the form 1.2.3",
            manifest.api
        ));
    };
    // Minor versions fit in both directions: a missing field reads as absent, a missing method runs its default body.
    if Some(major) != self::major(API_VERSION) {
        return Err(ImageFault::Incompatible(format!(
            "it was built for plugin interface {}, this program speaks {API_VERSION}; a plugin needs the same major version",
            manifest.api
        )));
    }
    Ok(())
}

/// Major of a version of three numbers; what may follow a dash or plus is not looked at.
fn major(version: &str) -> Option<u64> {
    let numbers = version.split(['-', '+']).next()?;
    let parts: Vec<u64> = numbers.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    (parts.len() == 3).then(|| parts[0])
}

#[cfg(all(test, target_os = "linux"))]
#[path = "image_tests.rs"]
mod tests;
