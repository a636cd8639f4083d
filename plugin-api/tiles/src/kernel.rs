//! A cell of 32 x 32 sums over pieces of both sides, in the processor's eight tile registers.
//!
//! Four registers hold the cell, two a piece of the left block, two a piece of the right one. At 24 bits the small products
//! of all steps are summed first, then the large ones: thus 32 large sums are added up where it would be 192 in f32, and
//! three pieces on both sides are read 16 times a step, not 18. With one piece on the right it is 10 for 8, which costs 8 %
//! of the time where matrices do not stay in the second cache, and makes errors half as large. At 16 bits sums need no such
//! care: all products of a step are added at once.

use std::cell::Cell;
use std::marker::PhantomData;

use crate::Precision;
use crate::lend::Tiles;
use crate::tile::{BLOCK, Tile};

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

/// Pieces of two blocks that are multiplied: for each step two tiles a piece on either side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocks<'a> {
    pub(crate) left: &'a [Tile],
    pub(crate) right: &'a [Tile],
    pub(crate) precision: Precision,
    /// Pieces on the right.
    pub(crate) pieces: usize,
}

impl Blocks<'_> {
    /// Steps of both.
    fn steps(&self) -> usize {
        let Blocks { left, right, precision, pieces } = *self;
        let step = 2 * precision.pieces();
        let steps = left.len() / step;
        assert_eq!((left.len(), right.len()), (steps * step, steps * 2 * pieces), "as many steps on both sides");
        assert!(steps > 0 && (1..=precision.pieces()).contains(&pieces), "{steps} steps of {pieces} pieces");
        steps
    }
}

impl Kernel {
    /// The sums of a cell of its own.
    pub(crate) fn cell(&self, blocks: Blocks<'_>, sums: &mut [f32; CELL]) {
        let place = Place { first: sums.as_mut_ptr(), stride: BLOCK };
        // SAFETY: the cell has 32 rows of 32 sums, and is ours alone.
        unsafe { self.write(blocks, place) };
    }

    /// Adds to the sums of a cell of its own, at 16 bits.
    pub(crate) fn add_to_cell(&self, blocks: Blocks<'_>, sums: &mut [f32; CELL]) {
        let place = Place { first: sums.as_mut_ptr(), stride: BLOCK };
        // SAFETY: as in `cell`.
        unsafe { self.add(blocks, place) };
    }

    /// Writes 32 rows of 32 sums.
    ///
    /// # Safety
    /// `place` must have room for 32 rows of 32 numbers, which nobody else reads or writes meanwhile.
    pub(crate) unsafe fn write(&self, blocks: Blocks<'_>, place: Place) {
        // SAFETY: both sides have the tiles of so many steps, the caller vouches for `place`, and registers are set up
        // while `self` lives, which only `Tiles` makes.
        unsafe { arch::cell(blocks, blocks.steps(), place, false) };
    }

    /// Adds to 32 rows of 32 sums, at 16 bits.
    ///
    /// # Safety
    /// As [`Kernel::write`]; the numbers must have been written before.
    pub(crate) unsafe fn add(&self, blocks: Blocks<'_>, place: Place) {
        assert_eq!(blocks.precision, Precision::Bits16, "sums at 24 bits are added outside of registers");
        // SAFETY: as in `write`.
        unsafe { arch::cell(blocks, blocks.steps(), place, true) };
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod arch {
    //! Never reached: [`Tiles`] are lent by Linux on x86-64 alone.

    use super::{Blocks, Place};

    pub(super) fn set_up() {}

    pub(super) fn give_back() {}

    pub(super) unsafe fn cell(_: Blocks<'_>, _: usize, place: Place, _: bool) {
        let Place { first, stride } = place;
        unreachable!("tiles are lent by Linux on x86-64 alone: nothing goes to {first:?} with rows {stride} apart");
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod arch {
    //! The instructions.

    use super::{Blocks, Place};
    use crate::Precision;
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

    /// Stores the cell.
    macro_rules! store {
        () => {
            concat!(
                "tilestored [{out} + {stride}], tmm0\n",
                "tilestored [{out} + {stride} + 64], tmm1\n",
                "tilestored [{below} + {stride}], tmm2\n",
                "tilestored [{below} + {stride} + 64], tmm3\n"
            )
        };
    }

    /// Empties the cell.
    macro_rules! zero {
        () => {
            "tilezero tmm0\ntilezero tmm1\ntilezero tmm2\ntilezero tmm3\n"
        };
    }

    /// 24 bits, the small products of a step, by the pieces on the right: more of them only add products.
    macro_rules! small_with_one {
        () => {
            concat!(right!("0", "1024"), left!("4096", "5120"), multiply!(), left!("2048", "3072"), multiply!())
        };
    }

    macro_rules! small_with_two {
        () => {
            concat!(small_with_one!(), right!("2048", "3072"), multiply!(), left!("0", "1024"), multiply!())
        };
    }

    macro_rules! small_with_three {
        () => {
            concat!(small_with_two!(), right!("4096", "5120"), multiply!())
        };
    }

    /// 16 bits, all products of a step.
    macro_rules! with_one {
        () => {
            concat!(right!("0", "1024"), left!("2048", "3072"), multiply!(), left!("0", "1024"), multiply!())
        };
    }

    macro_rules! with_two {
        () => {
            concat!(with_one!(), right!("2048", "3072"), multiply!())
        };
    }

    /// 24 bits: all steps for the small products, all steps for the large ones, and the store.
    macro_rules! twice {
        ($left:ident, $right:ident, $steps:ident, $place:ident, $right_step:literal, $small:expr) => {
            asm!(
                zero!(),
                "2:",
                $small,
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
                store!(),
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

    /// 16 bits: all products of all steps, added to what is there or not.
    macro_rules! once {
        ($left:ident, $right:ident, $steps:ident, $place:ident, $add:ident, $right_step:literal, $products:expr) => {
            asm!(
                "test {add:e}, {add:e}",
                "jz 3f",
                "tileloadd tmm0, [{out} + {stride}]",
                "tileloadd tmm1, [{out} + {stride} + 64]",
                "tileloadd tmm2, [{below} + {stride}]",
                "tileloadd tmm3, [{below} + {stride} + 64]",
                "jmp 2f",
                "3:",
                zero!(),
                "2:",
                $products,
                "add {left}, 4096",
                concat!("add {right}, ", $right_step),
                "dec {steps}",
                "jnz 2b",
                store!(),
                left = inout(reg) $left => _,
                right = inout(reg) $right => _,
                steps = inout(reg) $steps => _,
                add = in(reg) u32::from($add),
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

    /// The sums of a cell, added to what is there at 16 bits.
    ///
    /// # Safety
    /// Registers are set up; blocks have tiles for at least one step, and as many on both sides; `place` has room for 32
    /// rows of 32 numbers, written before if they are added to.
    pub(super) unsafe fn cell(blocks: Blocks<'_>, steps: usize, place: Place, add: bool) {
        let (left, right) = (blocks.left.as_ptr(), blocks.right.as_ptr());
        // SAFETY: each step reads the 6 or 4 tiles on the left and the 2, 4 or 6 on the right that the caller vouches for,
        // and the store writes 16 rows of 64 bytes four times, where it has room.
        unsafe {
            match (blocks.precision, blocks.pieces) {
                (Precision::Bits16, 1) => once!(left, right, steps, place, add, "2048", with_one!()),
                (Precision::Bits16, _) => once!(left, right, steps, place, add, "4096", with_two!()),
                (Precision::Bits24, 1) => twice!(left, right, steps, place, "2048", small_with_one!()),
                (Precision::Bits24, 2) => twice!(left, right, steps, place, "4096", small_with_two!()),
                (Precision::Bits24, _) => twice!(left, right, steps, place, "6144", small_with_three!()),
            }
        }
    }
}
