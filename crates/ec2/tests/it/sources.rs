//! Faults of each source that is read as a whole: every one is a gap, and what was seen before it counts.

use amiwarden_core::{CloudReader, Source};

use crate::server::{Reply, Server, body};
use crate::setup::reader;
use crate::usage::uses;

/// How a source looks over the wire.
struct Shape {
    source: Source,
    action: &'static str,
    /// The element around the list, which Auto Scaling puts into one more.
    list: &'static str,
    item: &'static str,
    /// An item that uses `ami-1`, without its element.
    used: &'static str,
    /// An item that cannot be traced to an image, and what is said about it.
    untold: (&'static str, &'static str),
    permission: &'static str,
}

const TEMPLATE: &str = "<launchTemplateId>lt-1</launchTemplateId><versionNumber>1</versionNumber>";

fn shapes() -> Vec<Shape> {
    vec![
        Shape {
            source: Source::Instances,
            action: "DescribeInstances",
            list: "reservationSet",
            item: "item",
            used: "<instancesSet><item><instanceId>i-1</instanceId><imageId>ami-1</imageId></item></instancesSet>",
            untold: (
                "<instancesSet><item><instanceId>i-9</instanceId></item></instancesSet>",
                "instance i-9 does not tell its image",
            ),
            permission: "ec2:DescribeInstances",
        },
        Shape {
            source: Source::LaunchTemplates,
            action: "DescribeLaunchTemplateVersions",
            list: "launchTemplateVersionSet",
            item: "item",
            used: "<launchTemplateId>lt-1</launchTemplateId><versionNumber>1</versionNumber>\
                   <launchTemplateData><imageId>ami-1</imageId></launchTemplateData>",
            untold: (TEMPLATE, "launch template lt-1 does not tell what its version 1 launches"),
            permission: "ec2:DescribeLaunchTemplateVersions",
        },
        Shape {
            source: Source::AutoScalingGroups,
            action: "DescribeAutoScalingGroups",
            list: "AutoScalingGroups",
            item: "member",
            used: "<AutoScalingGroupName>web</AutoScalingGroupName><MixedInstancesPolicy><LaunchTemplate>\
                   <Overrides><member><ImageId>ami-1</ImageId></member></Overrides></LaunchTemplate>\
                   </MixedInstancesPolicy>",
            untold: (
                "<AutoScalingGroupName>odd</AutoScalingGroupName>",
                "auto-scaling-group odd: it does not tell what it launches",
            ),
            permission: "autoscaling:DescribeAutoScalingGroups",
        },
        Shape {
            source: Source::LaunchConfigurations,
            action: "DescribeLaunchConfigurations",
            list: "LaunchConfigurations",
            item: "member",
            used: "<LaunchConfigurationName>web</LaunchConfigurationName><ImageId>ami-1</ImageId>",
            untold: (
                "<LaunchConfigurationName>odd</LaunchConfigurationName>",
                "launch-configuration odd: it does not tell what it launches",
            ),
            permission: "autoscaling:DescribeLaunchConfigurations",
        },
        Shape {
            source: Source::Fleets,
            action: "DescribeFleets",
            list: "fleetSet",
            item: "item",
            used: "<fleetId>fleet-1</fleetId><launchTemplateConfigs><item><overrides><item><imageId>ami-1</imageId>\
                   </item></overrides></item></launchTemplateConfigs>",
            untold: ("<fleetId>fleet-9</fleetId>", "fleet fleet-9: it does not tell what it launches"),
            permission: "ec2:DescribeFleets",
        },
        Shape {
            source: Source::SpotFleetRequests,
            action: "DescribeSpotFleetRequests",
            list: "spotFleetRequestConfigSet",
            item: "item",
            used: "<spotFleetRequestId>sfr-1</spotFleetRequestId><spotFleetRequestConfig><launchSpecifications><item>\
                   <imageId>ami-1</imageId></item></launchSpecifications></spotFleetRequestConfig>",
            untold: (
                "<spotFleetRequestId>sfr-9</spotFleetRequestId>",
                "spot-fleet-request sfr-9: it does not tell what it launches",
            ),
            permission: "ec2:DescribeSpotFleetRequests",
        },
        Shape {
            source: Source::SpotInstanceRequests,
            action: "DescribeSpotInstanceRequests",
            list: "spotInstanceRequestSet",
            item: "item",
            used: "<spotInstanceRequestId>sir-1</spotInstanceRequestId><launchSpecification><imageId>ami-1</imageId>\
                   </launchSpecification>",
            untold: (
                "<spotInstanceRequestId>sir-9</spotInstanceRequestId>",
                "spot-instance-request sir-9: it does not tell what it launches",
            ),
            permission: "ec2:DescribeSpotInstanceRequests",
        },
    ]
}

impl Shape {
    fn content(&self, items: &[&str], token: &str) -> String {
        let Self { action, list, item, .. } = self;
        let element = |content: &&str| format!("<{item}>{content}</{item}>");
        let items: String = items.iter().map(element).collect();
        if self.item == "member" {
            return format!(
                "<{action}Result><{list}>{items}</{list}><NextToken>{token}</NextToken></{action}Result>"
            );
        }
        format!("<{list}>{items}</{list}><nextToken>{token}</nextToken>")
    }

    fn page(&self, items: &[&str], token: &str) -> Reply {
        Reply::ok(self.action, &self.content(items, token))
    }

    /// The images that are seen, and the gap.
    async fn read(&self, replies: Vec<Reply>) -> (Vec<String>, Option<String>) {
        let server = Server::scripted(replies).await;
        let listing = reader(&server).await.uses(self.source).await;
        let images = listing.items.iter().map(|image_use| image_use.image.to_string()).collect();
        (images, listing.gap.map(|gap| gap.reason))
    }

    /// `ami-1` is seen, and there is a gap that says `part`.
    async fn check_gap(&self, replies: Vec<Reply>, part: &str) {
        let (images, gap) = self.read(replies).await;
        assert_eq!(images, ["ami-1"], "{}", self.source);
        let gap = gap.unwrap_or_default();
        assert!(gap.contains(part), "{}: {gap} lacks {part}", self.source);
    }
}

#[tokio::test]
async fn nothing_is_shown_to_be_used_where_there_is_nothing() {
    for shape in shapes() {
        let (listing, requests) = uses(shape.source, shape.page(&[], "")).await;
        assert_eq!((listing.items.len(), listing.gap), (0, None), "{}", shape.source);
        assert_eq!(requests.len(), 1, "{}", shape.source);
        assert_eq!(requests[0].action, shape.action);
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for shape in shapes() {
        let (code, denied) = if shape.item == "member" {
            ("AccessDenied", Reply::auto_scaling_error(403, "AccessDenied", "No."))
        } else {
            ("UnauthorizedOperation", Reply::error(403, "UnauthorizedOperation", "No."))
        };
        let needs = format!("page 2: {code}: No. (the credentials need {}", shape.permission);
        shape.check_gap(vec![shape.page(&[shape.used], "1"), denied], &needs).await;
    }
}

#[tokio::test]
async fn a_token_that_comes_back_is_a_gap() {
    for shape in shapes() {
        let replies = vec![shape.page(&[shape.used], "1"), shape.page(&[], "1")];
        shape.check_gap(replies, "page 2: the token for the next page had been sent before").await;
    }
}

#[tokio::test]
async fn a_page_that_stops_in_the_middle_is_a_gap() {
    for shape in shapes() {
        let whole = body(shape.action, &shape.content(&[shape.used, shape.used], "2"));
        let cut = whole[..whole.rfind(&format!("</{}>", shape.list)).unwrap()].to_owned();
        let replies = vec![shape.page(&[shape.used], "1"), Reply::Whole(200, cut)];
        shape.check_gap(replies, "page 2: ").await;
    }
}

#[tokio::test]
async fn something_without_an_image_is_a_gap() {
    for shape in shapes() {
        let (item, gap) = shape.untold;
        shape.check_gap(vec![shape.page(&[item, shape.used], "")], gap).await;
    }
}

#[tokio::test]
async fn a_reply_without_a_list_is_a_gap() {
    for shape in shapes() {
        let empty = if shape.item == "member" {
            format!("<{0}Result></{0}Result>", shape.action)
        } else {
            String::new()
        };
        let (images, gap) = shape.read(vec![Reply::ok(shape.action, &empty)]).await;
        assert_eq!(images, Vec::<String>::new());
        let gap = gap.unwrap_or_default();
        assert!(gap.contains("the reply has no list"), "{}: {gap}", shape.source);
    }
}
