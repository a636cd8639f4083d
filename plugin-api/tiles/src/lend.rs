//! Whether the processor has tiles of bf16, and whether Linux lends them to this process.

use std::sync::OnceLock;

/// That tiles may be used: whoever has one of these may enter the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Tiles(());

impl Tiles {
    /// Asks processor and system, once per process. `None` on other processors and systems, and where the system refuses.
    pub fn lent() -> Option<Tiles> {
        static LENT: OnceLock<bool> = OnceLock::new();
        LENT.get_or_init(ask).then_some(Tiles(()))
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn ask() -> bool {
    false
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn ask() -> bool {
    has_tiles() && request()
}

/// Tiles, bf16 products of tiles, and a system that saves tiles (bits 17 and 18 of XCR0).
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(unused_unsafe, reason = "asking the processor is safe from Rust 1.94 on")]
fn has_tiles() -> bool {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    const XSAVE: u32 = 1 << 27;
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    const SAVED: u32 = 1 << 17 | 1 << 18;
    // SAFETY: every x86-64 processor has the instruction; leaf 7 is asked for only where leaf 0 says that it exists.
    let (leaves, basic) = unsafe { (__cpuid(0).eax, __cpuid(1)) };
    if leaves < 7 || basic.ecx & XSAVE == 0 {
        return false;
    }
    // SAFETY: as above.
    let extended = unsafe { __cpuid_count(7, 0) };
    if extended.edx & BF16_AND_TILES != BF16_AND_TILES {
        return false;
    }
    let saved: u32;
    // SAFETY: the system has switched XSAVE on, so that the instruction is allowed; it writes eax and edx.
    unsafe {
        core::arch::asm!("xgetbv", in("ecx") 0, out("eax") saved, out("edx") _, options(nomem, nostack, preserves_flags));
    }
    saved & SAVED == SAVED
}

/// Asks Linux for the registers of tiles, which it saves only for processes that asked.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn request() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const XTILEDATA: i64 = 18;
    let answer: i64;
    // SAFETY: this system call takes numbers, reads no memory of ours and changes a permission of the process alone;
    // `syscall` overwrites rcx and r11.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_stays() {
        assert_eq!(Tiles::lent().is_some(), Tiles::lent().is_some());
    }
}
