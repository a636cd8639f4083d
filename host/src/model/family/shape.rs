//! Shape expressions of family descriptions: `hidden`, `heads*head_dim`, `(heads + 2*kv_heads) * head_dim`.

use std::fmt;

/// A parsed expression over hyperparameters, together with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeExpression {
    text: String,
    root: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Number(u64),
    Name(String),
    Sum(Box<Node>, Box<Node>),
    Product(Box<Node>, Box<Node>),
}

impl ShapeExpression {
    /// Parses sums and products of numbers and names, with parentheses.
    pub fn parse(text: &str) -> Result<ShapeExpression, String> {
        let mut parser = Parser { rest: text, depth: 0 };
        let root = parser.sum()?;
        if !parser.rest.trim().is_empty() {
            return Err(format!("shape `{text}`: `{}` is left over", parser.rest.trim()));
        }
        Ok(ShapeExpression { text: text.to_owned(), root })
    }

    /// The value, where `lookup` knows every name and nothing overflows.
    pub fn value(&self, lookup: &dyn Fn(&str) -> Option<u64>) -> Option<u64> {
        self.root.value(lookup)
    }

    /// Names that occur.
    pub fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.root.collect(&mut names);
        names
    }
}

impl fmt::Display for ShapeExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Node {
    fn value(&self, lookup: &dyn Fn(&str) -> Option<u64>) -> Option<u64> {
        match self {
            Node::Number(number) => Some(*number),
            Node::Name(name) => lookup(name),
            Node::Sum(a, b) => a.value(lookup)?.checked_add(b.value(lookup)?),
            Node::Product(a, b) => a.value(lookup)?.checked_mul(b.value(lookup)?),
        }
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Node::Number(_) => {}
            Node::Name(name) => names.push(name),
            Node::Sum(a, b) | Node::Product(a, b) => {
                a.collect(names);
                b.collect(names);
            }
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: u32,
}

impl Parser<'_> {
    fn takes(&mut self, symbol: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Result<Node, String> {
        let mut left = self.product()?;
        while self.takes('+') {
            left = Node::Sum(Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Node, String> {
        let mut left = self.factor()?;
        while self.takes('*') {
            left = Node::Product(Box::new(left), Box::new(self.factor()?));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Node, String> {
        if self.takes('(') {
            self.depth += 1;
            if self.depth > 16 {
                return Err("more than 16 nested parentheses".to_owned());
            }
            let inner = self.sum()?;
            self.depth -= 1;
            return if self.takes(')') { Ok(inner) } else { Err("a `)` is missing".to_owned()) };
        }
        let end =
            self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word.bytes().next() {
            None => Err(format!("a name or a number is missing before `{rest}`")),
            Some(b'0'..=b'9') => word.parse().map(Node::Number).map_err(|e| format!("`{word}`: {e}")),
            Some(_) => Ok(Node::Name(word.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<u64> {
        let names = |name: &str| match name {
            "heads" => Some(8),
            "kv_heads" => Some(2),
            "head_dim" => Some(32),
            "huge" => Some(u64::MAX),
            _ => None,
        };
        ShapeExpression::parse(text).unwrap().value(&names)
    }

    #[test]
    fn computes_with_precedence() {
        assert_eq!(value("heads*head_dim"), Some(256));
        assert_eq!(value(" ( heads + 2 * kv_heads ) * head_dim "), Some(384));
        assert_eq!(value("heads + 2*kv_heads"), Some(12));
        assert_eq!(value("1"), Some(1));
    }

    #[test]
    fn unknown_names_and_overflow_have_no_value() {
        assert_eq!(value("width"), None);
        assert_eq!(value("huge*2"), None);
        assert_eq!(value("huge+1"), None);
    }

    #[test]
    fn wrong_text_is_refused() {
        for text in
            ["", "*", "heads*", "(heads", "heads)", "heads heads", "2-1", "99999999999999999999", &"(".repeat(99)]
        {
            assert!(ShapeExpression::parse(text).is_err(), "{text}");
        }
    }
}
