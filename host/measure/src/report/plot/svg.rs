//! Pieces of a drawing; every text is escaped, every number has at most two decimals.

use crate::report::page::escaped;
use std::fmt::Write;

/// Width of every drawing, in its own units; the page stretches it.
pub(super) const WIDTH: f64 = 760.0;

/// Which end of a text its place is.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing.
pub(super) struct Svg {
    height: f64,
    label: String,
    body: String,
}

impl Svg {
    /// `label` says what is shown, for people who hear the page.
    pub(super) fn new(height: f64, label: &str) -> Self {
        Self { height, label: escaped(label), body: String::new() }
    }

    /// With a hint that shows when one points at it, if it is not empty.
    pub(super) fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), look: &str, hint: &str) {
        let (x, y, width, height) = (number(x), number(y), number(width.max(0.0)), number(height.max(0.0)));
        // Writing to a string cannot fail.
        let _ = write!(self.body, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {look}");
        match hint.is_empty() {
            true => self.body.push_str("/>\n"),
            false => {
                let _ = writeln!(self.body, "><title>{}</title></rect>", escaped(hint));
            }
        }
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(number);
        let _ = writeln!(self.body, "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>");
    }

    pub(super) fn curve(&mut self, points: &[(f64, f64)], class: &str, hint: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
        let (points, hint) = (points.join(" "), escaped(hint));
        let _ = writeln!(
            self.body,
            "<polyline points=\"{points}\" class=\"curve {class}\"><title>{hint}</title></polyline>"
        );
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, text) = (number(x), number(y), escaped(text));
        let _ = writeln!(self.body, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
    }

    pub(super) fn finish(self) -> String {
        let Self { height, label, body } = self;
        format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">\n{body}</svg>")
    }
}

/// A coordinate; what is not finite would spoil the whole drawing.
fn number(value: f64) -> String {
    let text = format!("{:.2}", if value.is_finite() { value } else { 0.0 });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// At most `most` letters, cut in the middle: layers' names differ at both ends.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return text.to_owned();
    }
    let head = most / 2;
    let tail = most.saturating_sub(head + 1);
    let (head, tail) = (letters[..head].iter(), letters[letters.len() - tail..].iter());
    head.chain(std::iter::once(&'…')).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_words_stay_words() {
        let mut svg = Svg::new(10.0, "\"><script>");
        svg.text((1.0, f64::NAN), Anchor::Middle, "</svg><script>");
        svg.rectangle((0.125, 2.0), (-1.0, f64::INFINITY), "class=\"fill\"", "</title>");
        let drawn = svg.finish();
        assert!(!drawn.contains("<script") && !drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        assert!(
            drawn.contains("<rect x=\"0.12\" y=\"2\" width=\"0\" height=\"0\" class=\"fill\"><title>&lt;/title&gt;")
        );
    }

    #[test]
    fn long_names_are_cut_in_the_middle() {
        assert_eq!(shortened("ffn_down", 8), "ffn_down");
        assert_eq!(shortened("self_attn.q_proj", 9), "self…proj");
        assert_eq!(shortened("ab", 0), "…");
    }
}
