//! The causes of an error, in words.

use std::error::Error;

/// What an error says, and what each of its causes says, the outermost first. What only repeats the end of the line
/// before it is left out.
pub fn causes(error: &dyn Error) -> Vec<String> {
    let mut lines = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !lines.last().is_some_and(|last| last.ends_with(&text)) {
            lines.push(text);
        }
        cause = inner.source();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Trouble {
        #[error("read a")]
        Outer(#[source] Box<Trouble>),
        #[error("open it: the disk is gone")]
        Middle(#[source] Box<Trouble>),
        #[error("the disk is gone")]
        Inner,
    }

    #[test]
    fn no_cause_is_said_twice() {
        let error = Trouble::Outer(Box::new(Trouble::Middle(Box::new(Trouble::Inner))));
        assert_eq!(causes(&error), ["read a", "open it: the disk is gone"]);
        assert_eq!(causes(&Trouble::Outer(Box::new(Trouble::Inner))), ["read a", "the disk is gone"]);
    }
}
