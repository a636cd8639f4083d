//! What the pickle machine builds.
//!
//! Values are small copies that point into flat lists. A pickle may nest or tie its objects into knots; here that costs
//! neither recursion nor memory beyond its own length.

use super::globals::Global;
use safetensors::Dtype;

/// A value on the machine's stack.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number that no tensor needs, kept without its value.
    Number,
    /// Position in [`Objects::texts`].
    Text(usize),
    /// Position in [`Objects::sequences`].
    Tuple(usize),
    /// Position in [`Objects::sequences`].
    List(usize),
    /// Position in [`Objects::dicts`].
    Dict(usize),
    /// A name of the list.
    Global(Global),
    /// Position in [`Objects::storages`].
    Storage(usize),
    /// Position in [`Objects::tensors`].
    Tensor(usize),
}

impl Value {
    /// What it is, for errors.
    pub fn kind(self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Number => "a number",
            Value::Text(_) => "a text",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a class or function",
            Value::Storage(_) => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

/// Raw memory that tensors are views of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage<'a> {
    /// Its name in the file.
    pub key: &'a str,
    /// Element type; none for untyped bytes.
    pub dtype: Option<Dtype>,
    /// Number of elements, or of bytes without a type.
    pub elements: u64,
}

/// A view of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Position in [`Objects::storages`].
    pub storage: usize,
    /// Element type.
    pub dtype: Dtype,
    /// First element.
    pub offset: u64,
    /// Shape.
    pub shape: Vec<u64>,
    /// Distance of neighbours along each dimension, in elements.
    pub strides: Vec<u64>,
}

/// Everything that a pickle made.
#[derive(Debug, Default)]
pub struct Objects<'a> {
    /// Texts, inside the pickle.
    pub texts: Vec<&'a str>,
    /// Tuples and lists.
    pub sequences: Vec<Vec<Value>>,
    /// Dictionaries, in the order of their entries.
    pub dicts: Vec<Vec<(Value, Value)>>,
    /// Storages.
    pub storages: Vec<Storage<'a>>,
    /// Tensors.
    pub tensors: Vec<View>,
}

impl<'a> Objects<'a> {
    /// The text behind a value.
    pub fn text(&self, value: Value) -> Option<&'a str> {
        match value {
            Value::Text(at) => Some(self.texts[at]),
            _ => None,
        }
    }

    /// The elements of a tuple.
    pub fn tuple(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Tuple(at) => Some(&self.sequences[at]),
            _ => None,
        }
    }

    /// Keeps a tuple.
    pub fn new_tuple(&mut self, values: Vec<Value>) -> Value {
        self.sequences.push(values);
        Value::Tuple(self.sequences.len() - 1)
    }

    /// Keeps a dictionary.
    pub fn new_dict(&mut self, entries: Vec<(Value, Value)>) -> Value {
        self.dicts.push(entries);
        Value::Dict(self.dicts.len() - 1)
    }
}
