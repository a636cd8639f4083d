//! The reference's own library, opened at run time from the path in `LLMQ_GGML_BASE`.

use std::ffi::{c_char, c_int, c_void};

use libloading::Library;
use llmq_ggml_blocks::BlockType;

type QuantizeChunk = unsafe extern "C" fn(c_int, *const f32, *mut c_void, i64, i64, i64, *const f32) -> usize;
type ToFloat = unsafe extern "C" fn(*const c_void, *mut f32, i64);
type TypeTraits = unsafe extern "C" fn(c_int) -> *const Traits;

/// The head of `struct ggml_type_traits`.
#[repr(C)]
struct Traits {
    name: *const c_char,
    block_len: i64,
    block_len_interleaved: i64,
    block_bytes: usize,
    is_quantized: bool,
    to_float: Option<ToFloat>,
}

/// The opened library with the functions that are compared.
pub struct Reference {
    quantize_chunk: QuantizeChunk,
    type_traits: TypeTraits,
    #[allow(dead_code, reason = "the benchmark does not convert single numbers")]
    library: Library,
}

impl Reference {
    /// Opens the library, or says on stderr that nothing will be compared.
    #[allow(clippy::print_stderr)]
    pub fn open() -> Option<Reference> {
        let Ok(path) = std::env::var("LLMQ_GGML_BASE") else {
            eprintln!("SKIPPED: set LLMQ_GGML_BASE to a libggml-base.so to compare with the reference");
            return None;
        };
        // SAFETY: loading runs the library's initializers; the caller names a ggml library it trusts.
        let library = unsafe { Library::new(&path) }.unwrap_or_else(|error| panic!("{path}: {error}"));
        // SAFETY: the type is that of the C declaration in ggml.h.
        let quantize_chunk = *unsafe { library.get::<QuantizeChunk>(b"ggml_quantize_chunk\0") }.unwrap();
        // SAFETY: the type is that of the C declaration in ggml.h.
        let type_traits = *unsafe { library.get::<TypeTraits>(b"ggml_get_type_traits\0") }.unwrap();
        Some(Reference { quantize_chunk, type_traits, library })
    }

    /// Quantizes whole rows of `cols` weights into `out`.
    pub fn quantize(&self, ty: BlockType, x: &[f32], cols: usize, importance: Option<&[f32]>, out: &mut [u8]) {
        let rows = x.len() / cols;
        assert_eq!(out.len() as u64, rows as u64 * ty.row_bytes(cols as u64).unwrap());
        let importance = importance.map_or(std::ptr::null(), |importance| {
            assert_eq!(importance.len(), cols);
            importance.as_ptr()
        });
        // SAFETY: x holds rows * cols floats, out their quantized size, importance cols floats or null; all checked.
        let written = unsafe {
            (self.quantize_chunk)(
                ty.id() as c_int,
                x.as_ptr(),
                out.as_mut_ptr().cast(),
                0,
                rows as i64,
                cols as i64,
                importance,
            )
        };
        assert_eq!(written, out.len());
    }

    /// Dequantizes whole blocks, after checking that name, block length and size agree with ours.
    pub fn dequantize(&self, ty: BlockType, bytes: &[u8], out: &mut [f32]) {
        // SAFETY: the id is one of the library's types, for which it returns a pointer into a static table.
        let traits = unsafe { &*(self.type_traits)(ty.id() as c_int) };
        // SAFETY: the library's names are static C strings.
        let name = unsafe { std::ffi::CStr::from_ptr(traits.name) };
        assert!(name.to_str().unwrap().eq_ignore_ascii_case(ty.name()));
        assert_eq!((traits.block_len as usize, traits.block_bytes), (ty.block_len(), ty.block_bytes()));
        assert_eq!(bytes.len() / ty.block_bytes() * ty.block_len(), out.len());
        // SAFETY: bytes hold exactly the blocks of out.len() weights.
        unsafe { traits.to_float.unwrap()(bytes.as_ptr().cast(), out.as_mut_ptr(), out.len() as i64) }
    }

    /// A function from one number to another, by name.
    #[allow(dead_code, reason = "the benchmark does not convert single numbers")]
    pub fn conversion<A: Copy, B>(&self, name: &str) -> impl Fn(A) -> B {
        // SAFETY: only used for the half-float conversions of ggml.h, whose arguments are plain 16- or 32-bit numbers.
        let function = *unsafe { self.library.get::<unsafe extern "C" fn(A) -> B>(name) }.unwrap();
        // SAFETY: as above; these functions have no preconditions.
        move |value| unsafe { function(value) }
    }

    /// Name, block length and block bytes that the library gives for an id, if it knows a size for it.
    #[allow(dead_code, reason = "the benchmark does not compare tables")]
    pub fn layout(&self, id: u32) -> (String, usize, usize) {
        // SAFETY: called with ids of the library's own table only.
        let traits = unsafe { &*(self.type_traits)(id as c_int) };
        // SAFETY: the library's names are static C strings.
        let name = unsafe { std::ffi::CStr::from_ptr(traits.name) };
        (name.to_string_lossy().into_owned(), traits.block_len as usize, traits.block_bytes)
    }
}
