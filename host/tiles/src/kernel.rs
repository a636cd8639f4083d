//! A cell of 32 x 32 sums over pieces of both sides, in the processor's eight tile registers.
//!
//! Four registers hold the cell, two a piece of the left block, two a piece of the right one. The small products of all
//! steps are summed first, then the large ones: thus 32 large sums are added up where it would be 192 in f32, and three
//! pieces on both sides are read 16 times a step, not 18. With one piece on the right it is 10 for 8, which costs 8 % of
//! the time where matrices do not stay in the second cache, and makes errors half as large.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::lend::Tiles;
use crate::pack::{BLOCK, LEFT_STEP, PIECES, Tile};

/// Sums of a cell, row by row.
pub const CELL: usize = BLOCK * BLOCK;

thread_local! {
    /// How many [`Kernel`]s this thread has.
    static ENTERED: Cell<usize> = const { Cell::new(0) };
}

/// A thread whose tile registers are set up; they are given back when the last of these goes.
#[derive(Debug)]
pub struct Kernel {
    /// Registers belong to a thread.
    _here: PhantomData<*const ()>,
}

impl Tiles {
    /// Sets up this thread's tile registers. It costs as much as a few products of tiles; so set them up for many.
    pub fn enter(self) -> Kernel {
        let entered = ENTERED.replace(ENTERED.get() + 1);
        if entered == 0 {
            arch::set_up();
        }
        Kernel { _here: PhantomData }
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let left = ENTERED.get() - 1;
        ENTERED.set(left);
        if left == 0 {
            arch::give_back();
        }
    }
}

/// Where the sums of a cell go: rows `stride` numbers apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) first: *mut f32,
    pub(crate) stride: usize,
}

impl Kernel {
    /// The sums of a cell of its own.
    pub(crate) fn cell(&self, left: &[Tile], right: &[Tile], pieces: usize, sums: &mut [f32; CELL]) {
        let place = Place { first: sums.as_mut_ptr(), stride: BLOCK };
        // SAFETY: the cell has 32 rows of 32 sums, and is ours alone.
        unsafe { self.write(left, right, pieces, place) };
    }

    /// Writes 32 rows of 32 sums.
    ///
    /// # Safety
    /// `place` must have room for 32 rows of 32 numbers, which nobody else reads or writes meanwhile.
    pub(crate) unsafe fn write(&self, left: &[Tile], right: &[Tile], pieces: usize, place: Place) {
        let steps = left.len() / LEFT_STEP;
        assert_eq!((left.len(), right.len()), (steps * LEFT_STEP, steps * 2 * pieces), "as many steps on both sides");
        assert!(steps > 0 && (1..=PIECES).contains(&pieces), "{steps} steps of {pieces} pieces");
        // SAFETY: both sides have the tiles of so many steps, the caller vouches for `place`, and registers are set up
        // while `self` lives, which only `Tiles` makes.
        unsafe { arch::cell(left.as_ptr(), right.as_ptr(), pieces, steps, place) };
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod arch {
    //! Never reached: [`Tiles`] are lent by Linux on x86-64 alone.

    use super::{Place, Tile};

    pub(super) fn set_up() {}

    pub(super) fn give_back() {}

    pub(super) unsafe fn cell(_: *const Tile, _: *const Tile, _: usize, _: usize, place: Place) {
        let Place { first, stride } = place;
        unreachable!("tiles are lent by Linux on x86-64 alone: nothing goes to {first:?} with rows {stride} apart");
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod arch {
    //! The instructions.

    use super::{Place, Tile};
    use core::arch::asm;

    /// What LDTILECFG reads: palette 1, and for each register 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Shapes {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    static SHAPES: Shapes = Shapes {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
        rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
    };

    pub(super) fn set_up() {
        // SAFETY: called with `Tiles` at hand, so the registers are there. The compiler has no use for them itself.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, readonly, preserves_flags)) };
    }

    pub(super) fn give_back() {
        // SAFETY: as above; what the registers held has been stored.
        unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    }

    /// Reads a piece of a block into two registers: two tiles behind each other.
    macro_rules! read {
        ($one:literal, $two:literal, $from:literal, $at:literal, $next:literal) => {
            concat!(
                "tileloadd ",
                $one,
                ", [{",
                $from,
                "} + {line} + ",
                $at,
                "]\n",
                "tileloadd ",
                $two,
                ", [{",
                $from,
                "} + {line} + ",
                $next,
                "]\n"
            )
        };
    }

    /// Reads a piece of the left block.
    macro_rules! left {
        ($at:literal, $next:literal) => {
            read!("tmm4", "tmm5", "left", $at, $next)
        };
    }

    /// Reads a piece of the right block.
    macro_rules! right {
        ($at:literal, $next:literal) => {
            read!("tmm6", "tmm7", "right", $at, $next)
        };
    }

    /// Adds the products of the pieces at hand.
    macro_rules! multiply {
        () => {
            "tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\ntdpbf16ps tmm2, tmm5, tmm6\ntdpbf16ps tmm3, tmm5, tmm7\n"
        };
    }

    /// All steps for the small products, all steps for the large ones, and the store.
    macro_rules! run {
        ($left:ident, $right:ident, $steps:ident, $place:ident, $right_step:literal, $($small:expr),*) => {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                concat!($($small),*),
                "add {left}, 6144",
                concat!("add {right}, ", $right_step),
                "dec {steps}",
                "jnz 2b",
                "4:",
                read!("tmm4", "tmm5", "first_left", "0", "1024"),
                read!("tmm6", "tmm7", "first_right", "0", "1024"),
                multiply!(),
                "add {first_left}, 6144",
                concat!("add {first_right}, ", $right_step),
                "dec {again}",
                "jnz 4b",
                "tilestored [{out} + {stride}], tmm0",
                "tilestored [{out} + {stride} + 64], tmm1",
                "tilestored [{below} + {stride}], tmm2",
                "tilestored [{below} + {stride} + 64], tmm3",
                left = inout(reg) $left => _,
                right = inout(reg) $right => _,
                steps = inout(reg) $steps => _,
                first_left = inout(reg) $left => _,
                first_right = inout(reg) $right => _,
                again = inout(reg) $steps => _,
                line = in(reg) 64usize,
                out = in(reg) $place.first,
                below = in(reg) $place.first.wrapping_add(16 * $place.stride),
                stride = in(reg) 4 * $place.stride,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            )
        };
    }

    /// The sums of a cell.
    ///
    /// # Safety
    /// Registers are set up; `left` has 6 tiles for each of at least one step, `right` two for each step and piece;
    /// `place` has room for 32 rows of 32 numbers.
    pub(super) unsafe fn cell(left: *const Tile, right: *const Tile, pieces: usize, steps: usize, place: Place) {
        // SAFETY: each step reads its 6 tiles on the left and its 2, 4 or 6 on the right, and the store writes 16 rows
        // of 64 bytes four times: what the caller vouches for.
        unsafe {
            match pieces {
                1 => run!(
                    left,
                    right,
                    steps,
                    place,
                    "2048",
                    right!("0", "1024"),
                    left!("4096", "5120"),
                    multiply!(),
                    left!("2048", "3072"),
                    multiply!()
                ),
                2 => run!(
                    left,
                    right,
                    steps,
                    place,
                    "4096",
                    right!("0", "1024"),
                    left!("4096", "5120"),
                    multiply!(),
                    left!("2048", "3072"),
                    multiply!(),
                    right!("2048", "3072"),
                    multiply!(),
                    left!("0", "1024"),
                    multiply!()
                ),
                _ => run!(
                    left,
                    right,
                    steps,
                    place,
                    "6144",
                    right!("0", "1024"),
                    left!("4096", "5120"),
                    multiply!(),
                    left!("2048", "3072"),
                    multiply!(),
                    right!("2048", "3072"),
                    multiply!(),
                    left!("0", "1024"),
                    multiply!(),
                    right!("4096", "5120"),
                    multiply!()
                ),
            }
        }
    }
}
