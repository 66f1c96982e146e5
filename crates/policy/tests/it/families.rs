//! Families: those of the configuration, and those of a policy's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use amiwarden_core::{Evaluation, Fact, Facts, FailureKind, ImageId, ImageState, Opinion};

use crate::builders::{FactsBuilder, failure, image, policy, refusal};

fn world(images: impl IntoIterator<Item = FactsBuilder>) -> BTreeMap<ImageId, Arc<Facts>> {
    let facts = images.into_iter().map(FactsBuilder::build);
    facts.map(|facts| (facts.image.id.clone(), facts)).collect()
}

/// What the policy says of each image: the reason, nothing, or how it failed.
fn said(text: &str, facts: &BTreeMap<ImageId, Arc<Facts>>) -> Vec<(String, String)> {
    let policy = policy(text);
    let mut evaluator = policy.evaluator(facts);
    let said = facts.iter().map(|(id, facts)| {
        let Evaluation::Verdict(verdict) = evaluator.evaluate(facts) else { panic!("suspended") };
        let said = match verdict.opinion {
            Opinion::None => "-".to_owned(),
            Opinion::Matched { proposals, .. } => proposals[0].reason.clone(),
            Opinion::Failed(failure) => failure.message,
        };
        (id.to_string(), said)
    });
    said.collect()
}

const BRANCHES: &str = r#"
    fn family(image) { image.tag("Branch") }
    rule "r" when image.family != () { keep(`${image.rank} of ${image.family_size} in ${image.family}`) }
"#;

#[test]
fn a_policy_may_define_its_own_families() {
    let facts = world([
        image(1).id("a").tag("Branch", "main").in_family("web", 7, 9),
        image(2).id("b").tag("Branch", "main"),
        image(3).id("c").tag("Branch", "side"),
        image(4).id("d").in_family("web", 8, 9),
        // Disabled images push nobody down.
        image(0).id("e").tag("Branch", "side").image(|image| image.state = ImageState::Disabled),
    ]);
    let found = said(BRANCHES, &facts);
    let found: Vec<_> = found.iter().map(|(id, said)| (id.as_str(), said.as_str())).collect();
    let expected = [
        ("a", "0 of 2 in main"),
        ("b", "1 of 2 in main"),
        ("c", "0 of 1 in side"),
        ("d", "-"),
        ("e", "0 of 1 in side"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn without_one_the_configured_families_count() {
    let text = "rule \"r\" when image.family != () { keep(`${image.rank} of ${image.family_size}`) }";
    let facts = world([image(1).id("a").in_family("web", 7, 9), image(2).id("b")]);
    assert_eq!(said(text, &facts), [("a".to_owned(), "7 of 9".to_owned()), ("b".to_owned(), "-".to_owned())]);
}

/// Where the family of an image cannot be told, that image's evaluation fails, and it takes no place that would
/// push others towards removal.
#[test]
fn an_image_whose_family_fails_is_left_out() {
    let text = r#"
        fn family(image) { `v${version(image.tag("V")) == version("1")}` }
        rule "r" when image.rank == 0 { keep("newest") }
    "#;
    let facts = world([
        image(1).id("a").tag("V", "?"),
        image(2).id("b").tag("V", "1"),
        image(3).id("c").tag("V", "1"),
    ]);
    let found = said(text, &facts);
    assert!(found[0].1.contains("`?` is not a version"), "{found:?}");
    assert_eq!(found[1].1, "newest");
    assert_eq!(found[2].1, "-");
}

#[test]
fn an_unknown_date_leaves_the_rank_unknown() {
    let text = "rule \"r\" when image.rank == 0 { keep(\"newest\") }";
    let doubtful = image(1).in_family("web", 0, 1).facts(|facts| {
        facts.family.as_mut().unwrap().rank = Fact::Unknown("no date".to_owned());
    });
    let failure = failure(&policy(text), &doubtful.build());
    assert_eq!(failure.kind, FailureKind::UnknownFact);
    assert_eq!(failure.message, "`rank` is unknown: no date");
}

#[test]
fn a_family_must_be_text_and_cost_nothing() {
    let text = |body: &str| format!("fn family(image) {{ {body} }}\nrule \"r\" when true {{ keep(\"x\") }}");
    let facts = world([image(1).id("a")]);
    let found = said(&text("if image.in_use { \"used\" } else { \"idle\" }"), &facts);
    assert!(found[0].1.contains("`family` may not read `in_use`"), "{found:?}");
    let found = said(&text("image.size_gib"), &facts);
    assert!(found[0].1.contains("`family` must return text or `()`, not a whole number"), "{found:?}");
    assert!(refusal(&text("image.nam")).contains("did you mean `name`?"));
}

/// One image alone cannot be ranked.
#[test]
fn own_families_take_all_images() {
    let failure = failure(&policy(BRANCHES), &image(1).tag("Branch", "main").build());
    assert_eq!(failure.kind, FailureKind::UnknownFact);
    assert!(
        failure.message.contains("`family` is unknown: this policy defines its own families"),
        "{failure:?}"
    );
}
