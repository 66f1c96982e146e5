//! Whatever is written into a policy, loading it ends with an answer, and so does evaluating it.

use std::time::Duration;

use amiwarden_policy::EngineLimits;
use proptest::prelude::*;

use crate::builders::{Params, compile_with, image, no_modules};

const WORDS: &[&str] = &[
    "rule",
    "when",
    "\"r\"",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "#{",
    ",",
    ";",
    ":",
    ".",
    "?.",
    "??",
    "=",
    "==",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "!",
    "&&",
    "||",
    "|x|",
    "x",
    "image",
    "now",
    "image.age",
    "image.name",
    "image.tag(\"k\")",
    "image.used_by",
    "image.shared_with",
    ".days",
    "90",
    "1.5",
    "true",
    "()",
    "\"t\"",
    "`${x}`",
    "let",
    "const",
    "fn",
    "f",
    "if",
    "else",
    "for",
    "in",
    "switch",
    "_",
    "=>",
    "return",
    "break",
    "import",
    "as",
    "param(\"p\", 1)",
    "keep(\"k\")",
    "disable(\"d\")",
    "deregister(#{}, \"d\")",
    "tag(#{}, \"t\")",
    ".any(",
    ".len()",
    "0..9",
    "global::x",
    "while",
    "try",
    "eval(\"1\")",
    "\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(words in prop::collection::vec(prop::sample::select(WORDS), 0..40), bare in any::<bool>()) {
        let soup = words.join(" ");
        let text = if bare { soup } else { format!("rule \"r\" when image.age > 1.days {{ {soup} }}") };
        let limits = EngineLimits {
            operations_max: 5_000,
            deadline: Duration::from_millis(50),
            ..EngineLimits::default()
        };
        match compile_with(&text, &no_modules(), Params::new(), &limits) {
            Ok(set) => {
                set.policies()[0].evaluate(&image(5).build());
            }
            Err(error) => prop_assert!(!error.problems.is_empty()),
        }
    }

    #[test]
    fn any_characters_are_answered(text in "\\PC{0,60}") {
        let found = compile_with(&text, &no_modules(), Params::new(), &EngineLimits::default());
        prop_assert!(found.is_err() || text.contains("rule"));
    }
}
