//! Groups, fleets and requests: what they launch is traced to images through templates, launch configurations and
//! aliases.

use amiwarden_core::{CloudReader, Listing, Source, UseKind};

use crate::server::{Reply, Server};
use crate::setup::reader;
use crate::usage::{data, image_use, version, versions};

const GROUPS: &str = "DescribeAutoScalingGroups";
const CONFIGURATIONS: &str = "DescribeLaunchConfigurations";
const VERSIONS: &str = "DescribeLaunchTemplateVersions";

fn groups(groups: &[(&str, &str)]) -> (&'static str, Reply) {
    let member = |(name, content): &(&str, &str)| {
        format!("<member><AutoScalingGroupName>{name}</AutoScalingGroupName>{content}</member>")
    };
    let members: String = groups.iter().map(member).collect();
    (
        GROUPS,
        Reply::ok(
            GROUPS,
            &format!("<{GROUPS}Result><AutoScalingGroups>{members}</AutoScalingGroups></{GROUPS}Result>"),
        ),
    )
}

fn configurations(members: &str) -> (&'static str, Reply) {
    let content = format!(
        "<{CONFIGURATIONS}Result><LaunchConfigurations>{members}</LaunchConfigurations></{CONFIGURATIONS}Result>"
    );
    (CONFIGURATIONS, Reply::ok(CONFIGURATIONS, &content))
}

fn template(id: &str, version: &str) -> String {
    format!("<LaunchTemplateId>{id}</LaunchTemplateId><Version>{version}</Version>")
}

fn group_of(id: &str, version: &str) -> String {
    format!("<LaunchTemplate>{}</LaunchTemplate>", template(id, version))
}

/// One template, `lt-1`, whose default version is 3 and whose latest is 9.
fn standing() -> (&'static str, Reply) {
    (
        VERSIONS,
        versions(&(version("lt-1", 3, true, &data("ami-3")) + &version("lt-1", 9, false, &data("ami-9")))),
    )
}

#[tokio::test]
async fn every_way_in_which_a_group_names_its_image_is_followed() {
    let mixed = format!(
        "<MixedInstancesPolicy><LaunchTemplate><LaunchTemplateSpecification><LaunchTemplateName>web\
         </LaunchTemplateName></LaunchTemplateSpecification><Overrides><member><ImageId>ami-7</ImageId></member>\
         <member><InstanceType>m7g.large</InstanceType></member><member><LaunchTemplateSpecification>{}\
         </LaunchTemplateSpecification></member></Overrides></LaunchTemplate></MixedInstancesPolicy>",
        template("lt-1", "5")
    );
    let member =
        "<member><LaunchConfigurationName>lc</LaunchConfigurationName><ImageId>ami-1</ImageId></member>";
    let server = Server::by_action([
        groups(&[
            ("configured", "<LaunchConfigurationName>lc</LaunchConfigurationName>"),
            ("latest", &group_of("lt-1", "$Latest")),
            ("unsaid", &group_of("lt-1", "")),
            ("pinned", &group_of("lt-1", "4")),
            ("known", &group_of("lt-1", "3")),
            ("mixed", &mixed),
        ]),
        configurations(member),
        standing(),
        (
            VERSIONS,
            versions(
                &(version("lt-1", 4, false, &data("ami-4")) + &version("lt-1", 5, false, &data("ami-5"))),
            ),
        ),
    ])
    .await;
    let listing = reader(&server).await.uses(Source::AutoScalingGroups).await;
    assert_eq!(listing.gap, None);
    let mut seen: Vec<_> = listing.items.iter().map(|item| (item.id.as_str(), item.image.as_str())).collect();
    seen.sort_unstable();
    let expected = [
        ("configured", "ami-1"),
        ("known", "ami-3"),
        ("latest", "ami-9"),
        ("mixed", "ami-3"),
        ("mixed", "ami-5"),
        ("mixed", "ami-7"),
        ("pinned", "ami-4"),
        ("unsaid", "ami-3"),
    ];
    assert_eq!(seen, expected);
    assert!(listing.items.iter().all(|item| item.kind == UseKind::AutoScalingGroup));
    let requests = server.requests();
    assert_eq!(requests[0].form["IncludeInstances"], "false");
    assert_eq!(requests[0].form["MaxRecords"], "100");
    let of = |action: &str| requests.iter().filter(|request| request.action == action).collect::<Vec<_>>();
    let asked = of(VERSIONS);
    assert_eq!(asked.len(), 2);
    let form = &asked[1].form;
    assert_eq!(form["LaunchTemplateId"], "lt-1");
    assert_eq!((&*form["LaunchTemplateVersion.1"], &*form["LaunchTemplateVersion.2"]), ("4", "5"));
    assert_eq!(of(CONFIGURATIONS)[0].form["LaunchConfigurationNames.member.1"], "lc");
}

#[tokio::test]
async fn templates_are_read_once_for_all_sources() {
    let fleet = "<fleetSet><item><fleetId>fleet-1</fleetId><fleetState>active</fleetState><launchTemplateConfigs><item>\
                 <launchTemplateSpecification><launchTemplateId>lt-1</launchTemplateId><version>4</version>\
                 </launchTemplateSpecification></item></launchTemplateConfigs></item></fleetSet>";
    let server = Server::by_action([
        standing(),
        groups(&[("pinned", &group_of("lt-1", "4"))]),
        (VERSIONS, versions(&version("lt-1", 4, false, &data("ami-4")))),
        ("DescribeFleets", Reply::ok("DescribeFleets", fleet)),
    ])
    .await;
    let reader = reader(&server).await;
    assert_eq!(reader.uses(Source::LaunchTemplates).await.items.len(), 2);
    let of_groups = reader.uses(Source::AutoScalingGroups).await;
    let of_fleets = reader.uses(Source::Fleets).await;
    assert_eq!(of_groups, Listing::complete(vec![image_use(UseKind::AutoScalingGroup, "ami-4", "pinned")]));
    assert_eq!(of_fleets, Listing::complete(vec![image_use(UseKind::Fleet, "ami-4", "fleet-1")]));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_template_that_is_not_there_launches_nothing() {
    let gone = |code: &str| (VERSIONS, Reply::error(400, code, "It does not exist."));
    let server = Server::by_action([
        groups(&[("a", &group_of("lt-9", "1"))]),
        standing(),
        gone("InvalidLaunchTemplateId.NotFound"),
    ])
    .await;
    let listing = reader(&server).await.uses(Source::AutoScalingGroups).await;
    assert_eq!(listing, Listing::complete(Vec::new()));
    // One version that is not there says nothing about the other.
    let server = Server::by_action([
        groups(&[("a", &group_of("lt-1", "4")), ("b", &group_of("lt-1", "5"))]),
        standing(),
        gone("InvalidLaunchTemplateId.VersionNotFound"),
        (VERSIONS, versions(&version("lt-1", 4, false, &data("ami-4")))),
        gone("InvalidLaunchTemplateId.VersionNotFound"),
    ])
    .await;
    let listing = reader(&server).await.uses(Source::AutoScalingGroups).await;
    assert_eq!(listing, Listing::complete(vec![image_use(UseKind::AutoScalingGroup, "ami-4", "a")]));
}

#[tokio::test]
async fn a_group_whose_image_cannot_be_found_out_is_a_gap() {
    let denied = || Reply::error(403, "UnauthorizedOperation", "No.");
    let configured = "<LaunchConfigurationName>lc</LaunchConfigurationName>";
    for (replies, gap) in [
        (
            vec![groups(&[("a", &group_of("lt-1", "4"))]), (VERSIONS, denied()), (VERSIONS, denied())],
            "auto-scaling-group a: DescribeLaunchTemplateVersions: page 1: UnauthorizedOperation: No. (the credentials \
             need ec2:DescribeLaunchTemplateVersions",
        ),
        (
            vec![groups(&[("a", &group_of("lt-1", "4"))]), standing(), (VERSIONS, versions(""))],
            "auto-scaling-group a: DescribeLaunchTemplateVersions: EC2 was asked for version 4 and did not show it",
        ),
        (
            vec![
                groups(&[("a", configured)]),
                (CONFIGURATIONS, Reply::auto_scaling_error(403, "AccessDenied", "No.")),
            ],
            "AccessDenied: No. (the credentials need autoscaling:DescribeLaunchConfigurations)",
        ),
        (
            vec![groups(&[("a", configured)]), configurations("")],
            "auto-scaling-group a: DescribeLaunchConfigurations: its launch configuration lc is not shown",
        ),
        (
            vec![groups(&[("a", "<LaunchTemplate><Version>1</Version></LaunchTemplate>")])],
            "auto-scaling-group a: it does not tell what it launches",
        ),
    ] {
        let server = Server::by_action(replies).await;
        let listing = reader(&server).await.uses(Source::AutoScalingGroups).await;
        assert_eq!(listing.items, []);
        let reason = listing.gap.unwrap().reason;
        assert!(reason.contains(gap), "{reason} lacks {gap}");
    }
}

#[tokio::test]
async fn fleets_count_until_they_are_over() {
    for (state, counts) in [
        ("submitted", true),
        ("active", true),
        ("modifying", true),
        ("dreaming", true),
        ("deleted", false),
        ("deleted_running", false),
        ("deleted_terminating", false),
        ("failed", false),
    ] {
        let config = "<launchTemplateSpecification><launchTemplateName>web</launchTemplateName><version>$Latest</version>\
                      </launchTemplateSpecification><overrides><item><imageId>resolve:ssm:web</imageId></item>\
                      <item><instanceType>m7g.large</instanceType></item></overrides>";
        let content = format!(
            "<fleetSet><item><fleetId>fleet-1</fleetId><fleetState>{state}</fleetState><launchTemplateConfigs><item>\
             {config}</item></launchTemplateConfigs></item></fleetSet>"
        );
        let server = Server::by_action([
            ("DescribeFleets", Reply::ok("DescribeFleets", &content)),
            standing(),
            ("GetParameters", Reply::json(r#"{"Parameters":[{"Name":"web","Value":"ami-2"}]}"#)),
        ])
        .await;
        let listing = reader(&server).await.uses(Source::Fleets).await;
        let uses = ["ami-2", "ami-9"].map(|image| image_use(UseKind::Fleet, image, "fleet-1"));
        let expected = if counts { uses.to_vec() } else { Vec::new() };
        assert_eq!(listing, Listing::complete(expected), "{state}");
    }
}

#[tokio::test]
async fn spot_fleet_requests_count_until_they_are_over() {
    for (state, counts) in [
        ("submitted", true),
        ("active", true),
        ("modifying", true),
        ("dreaming", true),
        ("cancelled", false),
        ("cancelled_running", false),
        ("cancelled_terminating", false),
        ("failed", false),
    ] {
        let content = format!(
            "<spotFleetRequestConfigSet><item><spotFleetRequestId>sfr-1</spotFleetRequestId>\
             <spotFleetRequestState>{state}</spotFleetRequestState><spotFleetRequestConfig><launchSpecifications>\
             <item><imageId>ami-1</imageId></item></launchSpecifications><launchTemplateConfigs><item>\
             <launchTemplateSpecification><launchTemplateId>lt-1</launchTemplateId><version>3</version>\
             </launchTemplateSpecification></item></launchTemplateConfigs></spotFleetRequestConfig></item>\
             </spotFleetRequestConfigSet>"
        );
        let action = "DescribeSpotFleetRequests";
        let server = Server::by_action([(action, Reply::ok(action, &content)), standing()]).await;
        let listing = reader(&server).await.uses(Source::SpotFleetRequests).await;
        let uses = ["ami-1", "ami-3"].map(|image| image_use(UseKind::SpotFleetRequest, image, "sfr-1"));
        let expected = if counts { uses.to_vec() } else { Vec::new() };
        assert_eq!(listing, Listing::complete(expected), "{state}");
    }
}

#[tokio::test]
async fn spot_instance_requests_count_until_they_are_over() {
    for (state, counts) in [
        ("open", true),
        ("active", true),
        ("disabled", true),
        ("dreaming", true),
        ("closed", false),
        ("cancelled", false),
        ("failed", false),
    ] {
        let content = format!(
            "<spotInstanceRequestSet><item><spotInstanceRequestId>sir-1</spotInstanceRequestId><state>{state}</state>\
             <launchSpecification><imageId>ami-1</imageId></launchSpecification></item></spotInstanceRequestSet>"
        );
        let action = "DescribeSpotInstanceRequests";
        let server = Server::by_action([(action, Reply::ok(action, &content))]).await;
        let listing = reader(&server).await.uses(Source::SpotInstanceRequests).await;
        let uses = vec![image_use(UseKind::SpotInstanceRequest, "ami-1", "sir-1")];
        assert_eq!(listing, Listing::complete(if counts { uses } else { Vec::new() }), "{state}");
    }
}

const PARAMETERS: &str = "DescribeParameters";

#[tokio::test]
async fn parameters_of_the_image_type_use_what_they_hold() {
    let names: Vec<_> = (1..=11).map(|number| format!("/p{number:02}")).collect();
    let listed = |names: &[String]| {
        names.iter().map(|name| format!(r#"{{"Name":"{name}"}}"#)).collect::<Vec<_>>().join(",")
    };
    let held = |name: &str, value: &str| format!(r#"{{"Name":"{name}","Value":"{value}"}}"#);
    let first: Vec<_> = names[..10].iter().map(|name| held(name, "ami-1")).collect();
    let first = first.join(",").replacen("ami-1", "nothing", 1);
    let first = format!(r#"{{"Parameters":[{first}]}}"#);
    let server = Server::answering(move |request| match request.action.as_str() {
        PARAMETERS if request.text.contains("NextToken") => {
            Reply::json(&format!(r#"{{"Parameters":[{}]}}"#, listed(&names[3..])))
        }
        PARAMETERS => Reply::json(&format!(r#"{{"Parameters":[{}],"NextToken":"1"}}"#, listed(&names[..3]))),
        // Deleted between the two requests.
        _ if request.text.contains("/p11") => {
            Reply::json(r#"{"Parameters":[],"InvalidParameters":["/p11"]}"#)
        }
        _ => Reply::json(&first),
    })
    .await;
    let listing = reader(&server).await.uses(Source::SsmParameters).await;
    let expected =
        (2..=10).map(|number| image_use(UseKind::SsmParameter, "ami-1", &format!("/p{number:02}"))).collect();
    assert_eq!(listing, Listing::complete(expected));
    let requests = server.requests();
    assert_eq!(requests.len(), 4);
    for part in
        [r#""Key":"DataType""#, r#""Option":"Equals""#, r#""Values":["aws:ec2:image"]"#, r#""MaxResults":50"#]
    {
        assert!(requests[0].text.contains(part), "{}", requests[0].text);
    }
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_a_gap() {
    let page = || (PARAMETERS, Reply::json(r#"{"Parameters":[{"Name":"/web"}]}"#));
    let denied = || Reply::json_error(400, "AccessDeniedException", "No.");
    let held = r#"{"Parameters":[{"Name":"/web","Value":"ami-1"}]}"#;
    for (replies, gap) in [
        (
            vec![(PARAMETERS, denied())],
            "AccessDeniedException: No. (the credentials need ssm:DescribeParameters)",
        ),
        (
            vec![page(), ("GetParameters", denied())],
            "parameter /web: GetParameters: AccessDeniedException: No. (the credentials need ssm:GetParameters)",
        ),
        (vec![page(), ("GetParameters", Reply::json("{}"))], "the reply does not mention it"),
        (vec![(PARAMETERS, Reply::json("{}"))], "DescribeParameters: page 1: the reply has no list"),
        (vec![(PARAMETERS, Reply::json(r#"{"Parameters":[{}]}"#))], "a parameter without a name"),
        (
            vec![(PARAMETERS, Reply::json(r#"{"Parameters":[],"NextToken":"1"}"#)); 2],
            "page 2: the token for the next page had been sent before",
        ),
        (vec![page(), ("GetParameters", Reply::json(&held[..held.len() - 1]))], "GetParameters: "),
        (vec![page(), ("GetParameters", Reply::json(&held[..held.len() - 2]))], "GetParameters: "),
        (vec![page(), ("GetParameters", Reply::json(""))], "GetParameters: "),
    ] {
        let server = Server::by_action(replies).await;
        let listing = reader(&server).await.uses(Source::SsmParameters).await;
        assert_eq!(listing.items, []);
        let reason = listing.gap.unwrap().reason;
        assert!(reason.contains(gap), "{reason} lacks {gap}");
    }
}
