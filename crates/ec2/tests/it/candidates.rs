//! The sources that are asked image by image.

use std::collections::BTreeMap;

use amiwarden_core::{CandidateUses, CloudReader, ImageId, ImageUse, Source, Timestamp, UseKind};

use crate::server::{Reply, Request, Server};
use crate::setup::{account, reader};
use crate::usage::image_use;

const REFERENCES: &str = "DescribeImageReferences";

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<ImageId> {
    numbers.into_iter().map(|number| ImageId::new(format!("ami-{number:02}"))).collect()
}

async fn ask(server: &Server, source: Source, images: Vec<ImageId>) -> BTreeMap<ImageId, CandidateUses> {
    let answers = reader(server).await.candidate_uses(source, images.clone(), now()).await;
    assert_eq!(answers.keys().cloned().collect::<Vec<_>>(), images);
    answers
}

fn reference(image: &str, kind: &str, arn: &str) -> String {
    format!("<item><imageId>{image}</imageId><resourceType>{kind}</resourceType><arn>{arn}</arn></item>")
}

fn references(items: &str, token: &str) -> Reply {
    let content = format!("<imageReferenceSet>{items}</imageReferenceSet><nextToken>{token}</nextToken>");
    Reply::ok(REFERENCES, &content)
}

fn asked(request: &Request) -> Vec<&str> {
    let of = |(name, value): (&'_ String, &'_ String)| name.starts_with("ImageId.").then_some(value.len());
    assert!(request.form.iter().filter_map(of).count() <= 10);
    (1..=10).filter_map(|number| request.form.get(&format!("ImageId.{number}"))).map(String::as_str).collect()
}

#[tokio::test]
async fn references_of_every_kind_are_read_ten_images_at_a_time() {
    const LT: &str = "arn:aws:ec2:eu-west-1:111122223333:launch-template/lt-1";
    const RECIPE: &str = "arn:aws:imagebuilder:eu-west-1:111122223333:image-recipe/web/1.0.0";
    let server = Server::answering(|request| {
        if asked(request).len() == 1 {
            return references("", "");
        }
        match request.form.get("NextToken") {
            None => references(
                &(reference("ami-01", "ec2:Instance", "arn:aws:ec2:eu-west-1:111122223333:instance/i-1")
                    + &reference("ami-01", "ec2:LaunchTemplate", LT)),
                "1",
            ),
            Some(_) => references(
                &(reference("ami-02", "imagebuilder:ImageRecipe", RECIPE)
                    + &reference("ami-02", "new:Thing", "arn:x")),
                "",
            ),
        }
    })
    .await;
    let answers = ask(&server, Source::ImageReferences, ids(1..=11)).await;
    let expected = |number: u32| match number {
        1 => vec![
            image_use(UseKind::Instance, "ami-01", "i-1"),
            image_use(UseKind::LaunchTemplate, "ami-01", LT),
        ],
        2 => vec![
            image_use(UseKind::ImageRecipe, "ami-02", RECIPE),
            image_use(UseKind::Other, "ami-02", "arn:x"),
        ],
        _ => Vec::new(),
    };
    for (answer, number) in answers.values().zip(1..) {
        let expected = CandidateUses { uses: expected(number), gap: None, as_of: now() };
        assert_eq!(*answer, expected, "{number}");
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    let form = &requests[0].form;
    let kinds: Vec<_> =
        (1..=5).map(|number| form[&format!("ResourceType.{number}.ResourceType")].as_str()).collect();
    let all = [
        "ec2:Instance",
        "ec2:LaunchTemplate",
        "ssm:Parameter",
        "imagebuilder:ImageRecipe",
        "imagebuilder:ContainerRecipe",
    ];
    assert_eq!(kinds, all);
    assert_eq!(form["ResourceType.1.ResourceTypeOption.1.OptionName"], "state-name");
    assert!(!form.values().any(|value| value == "terminated"));
    assert_eq!(form["ResourceType.2.ResourceTypeOption.1.OptionName"], "version-depth");
    assert_eq!(form["ResourceType.2.ResourceTypeOption.1.OptionValue.1"], "10000");
}

#[tokio::test]
async fn an_image_that_is_gone_spoils_no_answer_about_the_others() {
    let server = Server::answering(|request| {
        if asked(request).contains(&"ami-02") {
            return Reply::error(400, "InvalidAMIID.NotFound", "It does not exist.");
        }
        references(
            &reference("ami-01", "ssm:Parameter", "arn:aws:ssm:eu-west-1:111122223333:parameter/web"),
            "",
        )
    })
    .await;
    let answers = ask(&server, Source::ImageReferences, ids([1, 2])).await;
    assert_eq!(answers[&ImageId::new("ami-01")].gap, None);
    assert_eq!(answers[&ImageId::new("ami-01")].uses[0].kind, UseKind::SsmParameter);
    let gap = answers[&ImageId::new("ami-02")].gap.clone().unwrap().reason;
    assert!(gap.contains("InvalidAMIID.NotFound"), "{gap}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_batch_that_fails_is_a_gap_of_its_images_only() {
    let odd = reference("ami-77", "ec2:Instance", "arn:x");
    let nameless = "<item><resourceType>ec2:Instance</resourceType></item>";
    for (reply, gap) in [
        (
            Reply::error(403, "UnauthorizedOperation", "No."),
            "(the credentials need ec2:DescribeImageReferences",
        ),
        (Reply::error(503, "RequestLimitExceeded", "Slow down."), "RequestLimitExceeded"),
        (references(&odd, ""), "is to ami-77, which was not asked for"),
        (references(nameless, ""), "does not tell its image"),
        (Reply::ok(REFERENCES, ""), "the reply has no list"),
        (references("", "1"), "the token for the next page had been sent before"),
        (Reply::Whole(200, format!("<{REFERENCES}Response><imageReferenceSet/>")), "page 1: "),
    ] {
        let server = Server::answering(move |request| {
            if asked(request).contains(&"ami-11") { references("", "") } else { reply.clone() }
        })
        .await;
        let answers = ask(&server, Source::ImageReferences, ids(1..=11)).await;
        for (image, answer) in answers {
            if image.as_str() == "ami-11" {
                assert_eq!(answer.gap, None);
            } else {
                let reason = answer.gap.unwrap().reason;
                assert!(reason.contains(gap), "{reason} lacks {gap}");
            }
        }
    }
}

/// A report on `ami-01` as EC2 lists it.
fn report(id: &str, state: &str, created: &str) -> String {
    format!(
        "<item><imageId>ami-01</imageId><reportId>{id}</reportId><state>{state}</state>\
         <creationTime>{created}</creationTime><resourceTypeSet><item><resourceType>ec2:Instance</resourceType></item>\
         <item><resourceType>ec2:LaunchTemplate</resourceType><resourceTypeOptionSet><item>\
         <optionName>version-depth</optionName><optionValueSet><item>10000</item></optionValueSet></item>\
         </resourceTypeOptionSet></item></resourceTypeSet></item>"
    )
}

const REPORTS: &str = "DescribeImageUsageReports";
const ENTRIES: &str = "DescribeImageUsageReportEntries";
const CREATE: &str = "CreateImageUsageReport";
const TODAY: &str = "2026-11-20T10:00:00.000Z";

fn reports(items: &str) -> (&'static str, Reply) {
    (REPORTS, Reply::ok(REPORTS, &format!("<imageUsageReportSet>{items}</imageUsageReportSet>")))
}

fn entries(items: &[(&str, &str, &str)]) -> (&'static str, Reply) {
    let item = |(account, kind, count): &(&str, &str, &str)| {
        format!(
            "<item><reportId>amiur-1</reportId><imageId>ami-01</imageId><accountId>{account}</accountId>\
             <resourceType>{kind}</resourceType><usageCount>{count}</usageCount></item>"
        )
    };
    let items: String = items.iter().map(item).collect();
    (ENTRIES, Reply::ok(ENTRIES, &format!("<imageUsageReportEntrySet>{items}</imageUsageReportEntrySet>")))
}

fn created() -> (&'static str, Reply) {
    (CREATE, Reply::ok(CREATE, "<reportId>amiur-1</reportId>"))
}

async fn ask_one(replies: Vec<(&'static str, Reply)>) -> (CandidateUses, Vec<Request>) {
    let server = Server::by_action(replies).await;
    let answer = ask(&server, Source::UsageReports, ids([1])).await.remove(&ImageId::new("ami-01")).unwrap();
    (answer, server.requests())
}

fn count(requests: &[Request], action: &str) -> usize {
    requests.iter().filter(|request| request.action == action).count()
}

#[tokio::test]
async fn a_fresh_report_is_read_and_only_other_accounts_count() {
    let own = account();
    let (answer, requests) = ask_one(vec![
        reports(
            &(report("amiur-0", "available", "2026-11-18T10:00:00Z")
                + &report("amiur-1", "available", TODAY)),
        ),
        entries(&[
            (own.as_str(), "ec2:Instance", "5"),
            ("444455556666", "ec2:Instance", "3"),
            ("777788889999", "ec2:LaunchTemplate", "0"),
            ("************", "ec2:LaunchTemplate", "2"),
        ]),
    ])
    .await;
    let foreign = |kind: UseKind, account: &str, id: &str| ImageUse {
        account: account.parse().unwrap(),
        ..image_use(kind, "ami-01", id)
    };
    assert_eq!(
        answer.uses,
        [
            foreign(UseKind::Instance, "444455556666", "(3 of them) in account 444455556666"),
            foreign(UseKind::LaunchTemplate, "000000000000", "(2 of them) in account ************"),
        ]
    );
    assert_eq!(answer.gap, None);
    // A day before the report was made.
    assert_eq!(answer.as_of, "2026-11-19T10:00:00Z".parse().unwrap());
    assert_eq!(count(&requests, CREATE), 0);
    let read = requests.iter().find(|request| request.action == ENTRIES).unwrap();
    assert_eq!(read.form["ReportId.1"], "amiur-1");
}

#[tokio::test]
async fn a_report_is_made_where_there_is_none() {
    let old = report("amiur-0", "available", "2026-11-18T10:00:00Z");
    let failed = report("amiur-0", "error", TODAY);
    for listed in [String::new(), old, failed] {
        let (answer, requests) = ask_one(vec![
            reports(&listed),
            created(),
            reports(&report("amiur-1", "pending", TODAY)),
            reports(&report("amiur-1", "available", TODAY)),
            entries(&[]),
        ])
        .await;
        assert_eq!((answer.uses.len(), answer.gap), (0, None));
        let made: Vec<_> = requests.iter().filter(|request| request.action == CREATE).collect();
        assert_eq!(made.len(), 1);
        let form = &made[0].form;
        assert_eq!(form["ImageId"], "ami-01");
        assert_eq!(form["ResourceType.1.ResourceType"], "ec2:Instance");
        assert_eq!(form["ResourceType.2.ResourceType"], "ec2:LaunchTemplate");
        assert_eq!(form["ResourceType.2.ResourceTypeOption.1.OptionValue.1"], "10000");
        assert!(!form["ClientToken"].is_empty());
    }
}

#[tokio::test]
async fn a_report_that_is_not_there_yet_is_a_gap() {
    let pending = || reports(&report("amiur-1", "pending", TODAY));
    let (answer, requests) = ask_one(vec![pending()]).await;
    let reason = answer.gap.unwrap().reason;
    assert_eq!(reason, "the usage report amiur-1 on ami-01 is being made: a later run will read it");
    assert_eq!(requests.len(), 1);
    let waiting = std::iter::repeat_with(pending).take(9);
    let (answer, requests) = ask_one([reports(""), created()].into_iter().chain(waiting).collect()).await;
    let reason = answer.gap.unwrap().reason;
    assert_eq!(reason, "the usage report amiur-1 on ami-01 has been asked for: a later run will read it");
    assert_eq!(count(&requests, REPORTS), 7);
}

#[tokio::test]
async fn a_report_that_cannot_be_had_is_a_gap() {
    let denied = || Reply::error(403, "UnauthorizedOperation", "No.");
    let available = || reports(&report("amiur-1", "available", TODAY));
    let quota = Reply::error(400, "ResourceLimitExceeded", "Too many reports.");
    let other = entries(&[("444455556666", "ec2:Instance", "1")]).1;
    let Reply::Whole(_, other) = other else { unreachable!() };
    let failed =
        report("amiur-1", "error", TODAY).replace("</state>", "</state><stateReason>Oops.</stateReason>");
    for (replies, gap) in [
        (vec![(REPORTS, denied())], "No. (the credentials need ec2:DescribeImageUsageReports)"),
        (vec![reports(""), (CREATE, denied())], "No. (the credentials need ec2:CreateImageUsageReport)"),
        (
            vec![reports(""), (CREATE, quota)],
            "CreateImageUsageReport of ami-01: ResourceLimitExceeded: Too many reports.",
        ),
        (vec![reports(""), (CREATE, Reply::ok(CREATE, ""))], "the reply has no report id"),
        (
            vec![reports(""), created(), reports(&failed)],
            "EC2 could not make the usage report amiur-1 on ami-01: Oops.",
        ),
        (
            vec![available(), (ENTRIES, denied())],
            "No. (the credentials need ec2:DescribeImageUsageReportEntries)",
        ),
        (vec![available(), (ENTRIES, Reply::ok(ENTRIES, ""))], "the reply has no list"),
        (
            vec![available(), (ENTRIES, Reply::Whole(200, other.replace("amiur-1", "amiur-2")))],
            "an entry of amiur-2, which was not asked for",
        ),
        (vec![available(), (ENTRIES, Reply::Whole(200, other[..other.len() - 9].to_owned()))], "page 1: "),
    ] {
        let (answer, _) = ask_one(replies).await;
        assert_eq!(answer.uses, []);
        let reason = answer.gap.unwrap().reason;
        assert!(reason.contains(gap), "{reason} lacks {gap}");
    }
}

#[tokio::test]
async fn what_is_read_as_a_whole_is_not_asked_image_by_image() {
    let server = Server::scripted([]).await;
    let answers = ask(&server, Source::Instances, ids([1, 2])).await;
    assert!(answers.values().all(|answer| answer.gap.is_some()));
    assert_eq!(server.requests(), []);
}
