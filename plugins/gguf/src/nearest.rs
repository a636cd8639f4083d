//! "Did you mean": the known word that a mistyped one was probably meant to be.

/// The known word within a third of the word's length in edits, if there is one; case costs nothing.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(64).flat_map(char::to_lowercase).collect();
    let allowed = (word.chars().count() / 3).max(1);
    let distance = |candidate: &str| strsim::osa_distance(&word, &candidate.to_lowercase());
    let near = known.into_iter().map(|candidate| (distance(candidate), candidate));
    near.filter(|(distance, _)| *distance <= allowed).min().map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        assert_eq!(nearest("q6k", ["Q4_K", "Q6_K", "Q8_0"]), Some("Q6_K"));
        assert_eq!(nearest("general.nam", ["general.name", "general.type"]), Some("general.name"));
        assert_eq!(nearest("x", ["general.name"]), None);
    }
}
