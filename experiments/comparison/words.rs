//! What was shown, in words.

/// Those of some items whose flag is set.
pub fn shown<'a, T>(items: &'a [T], flags: &'a [bool]) -> impl Iterator<Item = &'a T> {
    items.iter().zip(flags).filter(|(_, flag)| **flag).map(|(item, _)| item)
}

/// Parts with a separator between them; "none" without any.
pub fn listed(parts: impl IntoIterator<Item = String>, separator: &str) -> String {
    let parts: Vec<String> = parts.into_iter().collect();
    if parts.is_empty() {
        "none".into()
    } else {
        parts.join(separator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_listed_and_nothing_is_none() {
        let names = ["a".to_string(), "b".to_string(), "c".to_string()];
        let of = |flags: [bool; 3]| listed(shown(&names, &flags).cloned(), "; ");
        assert_eq!(of([true, false, true]), "a; c");
        assert_eq!(of([false; 3]), "none");
    }
}
