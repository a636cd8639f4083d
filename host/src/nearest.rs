//! "Did you mean": the known words that a mistyped one was probably meant to be.

use strsim::osa_distance;

/// Known words within a third of the word's length (at least one) in edits, nearest first, at most three.
///
/// Case and separators are what people get wrong first, so they cost nothing.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = normal(word);
    let allowed = (word.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|candidate| (osa_distance(&word, &normal(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// Letters and digits in lower case. Long words are cut: a comparison costs the square of the length.
fn normal(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let formats = ["gguf", "gptq", "awq", "int8", "compressed-tensors"];
        assert_eq!(nearest("ggfu", formats), ["gguf"]);
        assert_eq!(nearest("compresed-tensor", formats), ["compressed-tensors"]);
        assert!(nearest("safetensors", formats).is_empty());
    }

    #[test]
    fn separators_and_case_cost_nothing_and_the_nearest_comes_first() {
        let levels = ["Q4_0", "Q4_K_M", "Q4_K_S", "Q5_K_M", "Q8_0"];
        assert_eq!(nearest("q4km", levels)[0], "Q4_K_M");
        assert_eq!(nearest("Q4-K-S", levels)[0], "Q4_K_S");
        assert!(nearest("", ["abcdef"]).is_empty());
    }
}
