//! Systems Manager's `DescribeParameters` and `GetParameters`: parameters of the data type `aws:ec2:image`. Whoever
//! launches by such a parameter launches the image that it holds.
//!
//! Parameters of the plain data type `text` are not looked for: what they hold is not said to be an image. One that a
//! launch template names is resolved there.

use amiwarden_core::{Gap, ImageId, ImageUse, Listing, UseKind};
use aws_sdk_ssm::types::ParameterStringFilter;

use super::Cloud;
use super::pages::{self, Operation, Page, PageLimits};
use super::parameters::{self, ParameterDefect};
use super::references::is_image_id;
use crate::convert::filled;
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeParameters",
    permissions: "ssm:DescribeParameters",
    // Systems Manager looks at a page of all parameters and shows those of the data type, so a long way without any is
    // normal: an account may hold 100,000 (AWS General Reference, "Systems Manager endpoints and quotas").
    limits: PageLimits { pages_max: 10_000, empty_in_a_row_max: 2_500 },
};

/// The most that Systems Manager allows for this operation (botocore model).
const PARAMETER_PAGE_SIZE: i32 = 50;

/// One use per parameter that holds the id of an image.
pub(crate) async fn collect(cloud: &Cloud) -> Listing<ImageUse> {
    let filter =
        ParameterStringFilter::builder().key("DataType").option("Equals").values("aws:ec2:image").build();
    let filter = match filter {
        Ok(filter) => filter,
        Err(error) => return Listing::partial(Vec::new(), format!("{}: {error}", OPERATION.name)),
    };
    let names = pages::read(OPERATION, |token| {
        let filter = filter.clone();
        async {
            let page = cloud
                .services
                .ssm
                .describe_parameters()
                .parameter_filters(filter)
                .max_results(PARAMETER_PAGE_SIZE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Failure::new(OPERATION.name, &error))?;
            Ok(Page::convert(page.parameters, page.next_token, |raw| {
                raw.name.and_then(filled).map(Some).ok_or("a parameter without a name")
            }))
        }
    })
    .await;
    let values = parameters::values(&cloud.services.ssm, names.items.into_iter().collect()).await;
    let mut uses = Vec::new();
    let mut defects = Vec::new();
    for (name, value) in values {
        match value {
            Ok(value) if is_image_id(&value) => uses.push(ImageUse {
                image: ImageId::new(value),
                kind: UseKind::SsmParameter,
                id: name,
                account: cloud.account.clone(),
            }),
            // Deleted since it was listed, or none whose value launches an image.
            Ok(_) | Err(ParameterDefect::Missing) => {}
            Err(defect @ ParameterDefect::Unread(_)) => {
                defects.push(Gap::new(format!("parameter {name}: {defect}")));
            }
        }
    }
    Listing { items: uses, gap: pages::join(defects.into_iter().chain(names.gap)) }
}
