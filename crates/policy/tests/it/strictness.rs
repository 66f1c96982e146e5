//! What does not go together is an error, never `false`.

use amiwarden_core::FailureKind;

use crate::builders::{image, refusal, value};

/// Expressions that the compiler refuses, because no image makes them right.
#[test]
fn mixed_types_are_refused_at_load() {
    let check = |expression: &str, said: &str| {
        let text = format!("rule \"r\" when {expression} {{ keep(\"x\") }}");
        let refusal = refusal(&text);
        assert!(refusal.contains(said), "{expression}: {refusal}");
    };
    check("image.age > 90", "`>` cannot compare a duration with a whole number: a duration has a unit");
    check("90 < image.age", "`<` cannot compare a whole number with a duration");
    check("\"a\" < 1", "`<` cannot compare text with a whole number");
    check("1 == \"1\"", "`==` cannot compare a whole number with text");
    check("1.0 == 1", "`==` cannot compare a decimal number with a whole number");
    check("1 != 1.0", "cannot compare");
    check("1 < 1.5", "write a decimal number, as in `5.0`");
    check("image.monthly_cost > 5", "write a decimal number, as in `5.0`");
    check("'a' == \"a\"", "`==` cannot compare a character with text");
    check("true == 1", "cannot compare a boolean with a whole number");
    check("true < false", "cannot compare a boolean with a boolean");
    check("image.created_at < 30.days", "`now - x` makes a duration of a time");
    check("image.created_at > \"2026-01-01\"", "makes a time of text");
    check("version(\"1.2\") < \"1.10\"", "makes a version of text");
    check("[1, 2] == [1, \"2\"]", "cannot compare a whole number with text");
    check("[1] == \"1\"", "cannot compare a list with text");
    check("5 in [\"a\"]", "cannot compare text with a whole number");
    check("image == image", "an image cannot be compared");
    check("keep(\"x\") == keep(\"x\")", "an action cannot be compared");
    check("image.age + 1 > 1.days", "`+` cannot be applied to a duration and a whole number");
    check("image.id + 1 == \"x\"", "interpolate instead");
    check("1 + 1.0 == 2.0", "write a decimal number");
    check("image.age * image.age > 1.days", "`*` cannot be applied to a duration and a duration");
    check("now + now > now", "`+` cannot be applied to a time and a time");
    check("!image.id", "`!` cannot be applied to text");
    check("!5", "`!` cannot be applied to a whole number");
    check("image.id && true", "expected a boolean, got text");
    check("false || 5", "expected a boolean, got a number");
    check("if 5 { true } else { false }", "expected a boolean, got a number");
    check("5", "a condition must be a boolean, and this is a whole number");
    check("image.id", "a condition must be a boolean, and this is text");
    check("[1].any(|x| x)", "the function must give a boolean, not a whole number");
}

/// The same mistakes where only some images show them.
#[test]
fn absent_values_fail_when_compared() {
    let bare = image(10).build();
    let check = |expression: &str, said: &str| {
        let (kind, message) = value(expression, &bare).expect_err(expression);
        assert_eq!(kind, FailureKind::Type, "{expression}");
        assert!(message.contains(said), "{expression}: {message}");
    };
    check("() < 30", "`<` cannot compare () with a whole number: test for it first");
    check("() < ()", "`<` cannot compare () with ()");
    check("30 >= ()", "cannot compare");
    check("image.disabled_for > 30.days", "`>` cannot compare () with a duration");
    check("image.rank <= 3", "cannot compare () with a whole number");
    check("image.tag(\"x\") < \"y\"", "cannot compare () with text");
    check("image.tag(\"x\") + \"y\"", "`+` cannot be applied to () and text");
    check("image.tag(\"x\").len", "() has no `len`");
    check("image.tag(\"x\").starts_with(\"y\")", "`starts_with` cannot take ((), text)");
    check("image.tags.Missing", "for a tag, write `image.tag(\"Missing\")`");
}

#[test]
fn equality_asks_whether_something_is_there() {
    let bare = image(10).build();
    let check = |expression: &str, expected: &str| {
        assert_eq!(value(expression, &bare).as_deref(), Ok(expected), "{expression}");
    };
    check("image.tag(\"x\") == ()", "true");
    check("() != image.tag(\"x\")", "false");
    check("image.tag(\"x\") == \"y\"", "false");
    check("image.tag(\"x\") != \"y\"", "true");
    check("image.rank == 0", "false");
    check("() == ()", "true");
    check("() != ()", "false");
    check("image.tag(\"x\") ?? \"none\"", "none");
    check("(image.rank ?? 7) > 3", "true");
}

#[test]
fn operators_work_on_what_belongs_together() {
    let old = image(100).disabled_for(40).tag("V", "1.10.2").build();
    let check = |expression: &str, expected: &str| {
        assert_eq!(value(expression, &old).as_deref(), Ok(expected), "{expression}");
    };
    check("1 + 2 * 3 - 4 / 2", "5");
    check("7 % 4", "3");
    check("2 ** 10", "1024");
    check("1.5 + 1.5", "3.0");
    check("-(3) + 5", "2");
    check("-1.5 < 0.0", "true");
    check("90.days + 12.hours", "90 days");
    check("2.weeks", "14 days");
    check("30.minutes", "30 minutes");
    check("45.seconds < 1.minute", "true");
    check("1.day == 24.hours", "true");
    check("(image.age - 10.days) * 2", "180 days");
    check("3 * 1.hours", "3 hours");
    check("image.age / 2", "50 days");
    check("image.age.whole_days", "100");
    check("-(1.days) < 1.hours", "true");
    check("image.disabled_for >= 40.days", "true");
    check("now - image.created_at", "100 days");
    check("now - 1.days < now", "true");
    check("image.created_at + 100.days == now", "true");
    check("time(\"2026-01-01T00:00:00Z\") + 36.hours", "2026-01-02T12:00:00Z");
    check("time(\"2026-01-01\")", "2026-01-01T00:00:00Z");
    check("duration(\"90d\") == 90.days", "true");
    check("version(image.tag(\"V\")) > version(\"1.9\")", "true");
    check("version(\"1.2\") == version(\"v1.2.0\")", "true");
    check("\"a\" + \"b\" == \"ab\"", "true");
    check("[1] + [2, 3]", "[1, 2, 3]");
    check("[1, 2] == [1, 2]", "true");
    check("#{a: 1} == #{a: 1}", "true");
    check("#{a: 1} != #{b: 1}", "true");
    check("\"a\" < \"b\" && 'a' < 'b'", "true");
    check("1.0 <= 1.0", "true");
    check("!image.is_public", "true");
}

#[test]
fn arithmetic_that_cannot_be_done_fails() {
    let facts = image(10).build();
    for expression in [
        "1 / 0",
        "1 % 0",
        "9223372036854775807 + 1",
        "2 ** 64",
        "2 ** -1",
        "image.age / 0",
        "now + 9000000.days * 9000",
        "time(\"yesterday\")",
        "duration(\"3 months\")",
        "version(\"one\")",
        "\"x\".to_int()",
        "[1][3]",
    ] {
        let (kind, message) = value(expression, &facts).expect_err(expression);
        assert_eq!(kind, FailureKind::Script, "{expression}: {message}");
    }
}
