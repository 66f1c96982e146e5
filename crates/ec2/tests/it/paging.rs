//! Faults on the way through the pages: each is a gap, and what was seen before it counts.

use amiwarden_core::{CloudReader, Image, Listing};

use crate::server::{Reply, Request, Server, body};
use crate::setup::{ACCOUNT, reader};

fn item(id: &str) -> String {
    format!("<item><imageId>{id}</imageId><imageOwnerId>{ACCOUNT}</imageOwnerId></item>")
}

fn content(ids: &[&str], token: &str) -> String {
    let items: String = ids.iter().map(|id| item(id)).collect();
    format!("<imagesSet>{items}</imagesSet><nextToken>{token}</nextToken>")
}

fn page(ids: &[&str], token: &str) -> Reply {
    Reply::ok("DescribeImages", &content(ids, token))
}

async fn list(replies: Vec<Reply>) -> (Listing<Image>, Vec<Request>) {
    let server = Server::scripted(replies).await;
    let listing = reader(&server).await.images().await;
    (listing, server.requests())
}

/// The ids that are seen, and a part of the gap.
async fn check(replies: Vec<Reply>, ids: &[&str], gap: Option<&str>) {
    let (listing, _) = list(replies.clone()).await;
    let seen: Vec<_> = listing.items.iter().map(|image| image.id.as_str()).collect();
    assert_eq!(seen, ids, "{replies:?}");
    match (listing.gap, gap) {
        (None, None) => {}
        (Some(actual), Some(part)) => {
            assert!(actual.reason.starts_with("DescribeImages: "), "{actual}");
            assert!(actual.reason.contains(part), "{actual} lacks {part}");
        }
        (actual, expected) => panic!("gap {actual:?} instead of {expected:?}"),
    }
}

#[tokio::test]
async fn pages_are_read_to_the_end() {
    let replies = vec![page(&["ami-b"], "1"), page(&[], "2"), page(&["ami-a"], "")];
    let (listing, requests) = list(replies).await;
    assert_eq!(listing.gap, None);
    let ids: Vec<_> = listing.items.iter().map(|image| image.id.as_str()).collect();
    assert_eq!(ids, ["ami-a", "ami-b"]);
    let tokens: Vec<_> =
        requests.iter().map(|request| request.form.get("NextToken").map(String::as_str)).collect();
    assert_eq!(tokens, [None, Some("1"), Some("2")]);
    for request in requests {
        for (name, value) in [
            ("Owner.1", "self"),
            ("IncludeDisabled", "true"),
            ("IncludeDeprecated", "true"),
            ("MaxResults", "1000"),
        ] {
            assert_eq!(request.form[name], value);
        }
    }
}

#[tokio::test]
async fn a_token_that_comes_back_is_a_gap() {
    let replies = vec![page(&["ami-a"], "1"), page(&["ami-b"], "1")];
    check(replies, &["ami-a", "ami-b"], Some("page 2: the token for the next page")).await;
}

#[tokio::test]
async fn an_error_in_the_middle_is_a_gap_in_ec2s_words() {
    let denied = Reply::error(403, "UnauthorizedOperation", "You are not authorized.");
    let words =
        "page 2: UnauthorizedOperation: You are not authorized. (the credentials need ec2:DescribeImages)";
    check(vec![page(&["ami-a"], "1"), denied], &["ami-a"], Some(words)).await;
    let invalid = Reply::error(400, "InvalidNextToken", "Expired.");
    check(vec![page(&["ami-a"], "1"), invalid], &["ami-a"], Some("page 2: InvalidNextToken: Expired.")).await;
    let busy = || Reply::error(503, "RequestLimitExceeded", "Too fast.");
    check(vec![busy(), busy(), busy()], &[], Some("page 1: RequestLimitExceeded: Too fast.")).await;
    let expired = Reply::error(400, "ExpiredToken", "Too late.");
    check(vec![expired], &[], Some("page 1: ExpiredToken: Too late.")).await;
}

/// Cut where the XML that came is, for the SDK's parser, a page that happens to be the last.
#[tokio::test]
async fn a_page_that_stops_in_the_middle_is_a_gap() {
    let whole = body("DescribeImages", &content(&["ami-a", "ami-b"], "1"));
    for end in
        ["</DescribeImagesResponse>", "<nextToken>", "<item><imageId>ami-b", "</imageOwnerId></item><item>"]
    {
        let cut = whole[..whole.find(end).unwrap()].to_owned();
        let replies = || vec![Reply::Unmeasured(200, cut.clone()); 3];
        check(replies(), &[], Some("page 1: ")).await;
        let replies = vec![page(&["ami-c"], "0"), Reply::Whole(200, cut.clone())];
        check(replies, &["ami-c"], Some("page 2: ")).await;
    }
    let short = Reply::Short(200, whole[..whole.len() - 30].to_owned());
    check(vec![short.clone(), short.clone(), short], &[], Some("page 1: ")).await;
}

#[tokio::test]
async fn a_reply_without_a_list_is_a_gap() {
    check(vec![Reply::ok("DescribeImages", "")], &[], Some("page 1: the reply has no list")).await;
    check(vec![Reply::ok("DescribeImages", "<imagesSet/>")], &[], None).await;
}

#[tokio::test]
async fn an_image_on_two_pages_counts_once_and_the_later_one_wins() {
    let page_naming_it = |name: &str, token: &str| {
        let item = item("ami-a").replace("</item>", &format!("<name>{name}</name></item>"));
        Reply::ok("DescribeImages", &format!("<imagesSet>{item}</imagesSet><nextToken>{token}</nextToken>"))
    };
    let (listing, _) = list(vec![page_naming_it("old", "1"), page_naming_it("new", "")]).await;
    assert_eq!(listing.gap, None);
    let names: Vec<_> = listing.items.iter().map(|image| image.name.as_deref()).collect();
    assert_eq!(names, [Some("new")]);
}
