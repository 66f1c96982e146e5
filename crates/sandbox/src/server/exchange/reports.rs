//! Requests that concern image usage reports. They alter reports and no image, and looking at a report
//! that is not complete brings it nearer to completion.

use super::{Done, save};
use crate::actions::{Context, ReportCall, created_xml, deleted_xml};
use crate::protocol::ApiError;
use crate::server::cloud::Cloud;
use crate::world::{Actor, World};

pub(super) async fn answer(cloud: &Cloud, call: &ReportCall, context: &Context<'_>) -> Done {
    // Reports need no permission over snapshots.
    let actor = Actor { region: context.region.to_owned(), may_delete_snapshots: false, now: context.now };
    let changed = match call {
        ReportCall::Describe(query) => {
            return Done::answered(alter(cloud, context.account, |world| {
                let (body, shown) = query.answer(world, context)?;
                world.usage_reports_were_described(&shown);
                Ok(body)
            }));
        }
        ReportCall::Create(wanted) => alter(cloud, context.account, |world| {
            let id = world.create_usage_report(wanted, &actor)?;
            Ok(created_xml(&id, context))
        }),
        ReportCall::Delete { report_id } => alter(cloud, context.account, |world| {
            world.delete_usage_report(report_id, &actor)?;
            Ok(deleted_xml(context))
        }),
    };
    match changed {
        Ok(body) => {
            let body = save(cloud).await.map(|()| body);
            Done { reports_changed: true, ..Done::answered(body) }
        }
        Err(error) => Done::answered(Err(error)),
    }
}

fn alter(
    cloud: &Cloud,
    account: &str,
    change: impl FnOnce(&mut World) -> Result<String, ApiError>,
) -> Result<String, ApiError> {
    let mut simulation = cloud.write();
    let body = change(simulation.world.of_account_mut(account).ok_or_else(ApiError::internal)?)?;
    simulation.version += 1;
    Ok(body)
}
