//! Systems Manager's `GetParameters`: what the parameters hold that stand for images.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::Parameter;
use futures::StreamExt;

use crate::errors::Failure;

const OPERATION: &str = "GetParameters";

/// The most that Systems Manager takes in one request (botocore model).
const NAMES_MAX: usize = 10;

/// How many requests are under way at once. Systems Manager permits 40 a second by default.
const IN_FLIGHT_MAX: usize = 4;

/// Why the value of a parameter is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParameterDefect {
    /// It is not there, or not in that version.
    #[error("Systems Manager knows no such parameter")]
    Missing,
    /// It could not be read.
    #[error("{OPERATION}: {0}")]
    Unread(String),
}

/// The value of each of `names`. A name may be an ARN, and may end in `:` and a version or a label. The answer has an
/// entry for each.
pub(super) async fn values(
    client: &Client,
    names: BTreeSet<String>,
) -> BTreeMap<String, Result<String, ParameterDefect>> {
    let names: Vec<_> = names.into_iter().collect();
    let batches: Vec<_> = names.chunks(NAMES_MAX).map(<[String]>::to_vec).collect();
    futures::stream::iter(batches)
        .map(|batch| values_of(client, batch))
        .buffer_unordered(IN_FLIGHT_MAX)
        .flat_map(futures::stream::iter)
        .collect()
        .await
}

async fn values_of(client: &Client, names: Vec<String>) -> Vec<(String, Result<String, ParameterDefect>)> {
    let sent = client.get_parameters().set_names(Some(names.clone())).send().await;
    let reply = match sent.map_err(|error| Failure::new(OPERATION, &error)) {
        Ok(reply) => reply,
        Err(failure) => {
            let reason = failure.reason("ssm:GetParameters");
            let defect = |name| (name, Err(ParameterDefect::Unread(reason.clone())));
            return names.into_iter().map(defect).collect();
        }
    };
    let parameters = reply.parameters.unwrap_or_else(Vec::new);
    let missing = reply.invalid_parameters.unwrap_or_else(Vec::new);
    let answer = |name: String| {
        let held = parameters.iter().find(|parameter| answers(parameter, &name));
        let value = match held.and_then(|parameter| parameter.value.clone()) {
            Some(value) => Ok(value),
            None if missing.contains(&name) => Err(ParameterDefect::Missing),
            // Neither there nor not there: this is no answer.
            None => Err(ParameterDefect::Unread("the reply does not mention it".to_owned())),
        };
        (name, value)
    };
    names.into_iter().map(answer).collect()
}

/// Whether `parameter` is what was asked for as `asked`. The reply has the name apart from the version or label, which
/// it calls the selector, with a colon before it.
fn answers(parameter: &Parameter, asked: &str) -> bool {
    let selector = parameter.selector().map(|selector| selector.trim_start_matches(':'));
    let mut names = [parameter.name(), parameter.arn()].into_iter().flatten();
    match selector.filter(|selector| !selector.is_empty()) {
        None => names.any(|name| name == asked),
        Some(selector) => names
            .any(|name| asked.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) == Some(selector)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_by_its_name_and_selector() {
        const ARN: &str = "arn:aws:ssm:eu-west-1:111122223333:parameter/web";
        let check = |selector: Option<&str>, asked: &str, expected: bool| {
            let parameter =
                Parameter::builder().name("/web").arn(ARN).set_selector(selector.map(str::to_owned)).build();
            assert_eq!(answers(&parameter, asked), expected, "{selector:?} {asked}");
        };
        check(None, "/web", true);
        check(None, ARN, true);
        check(None, "/web:3", false);
        check(None, "/other", false);
        check(Some(":3"), "/web:3", true);
        check(Some("prod"), "/web:prod", true);
        check(Some(":3"), &format!("{ARN}:3"), true);
        check(Some(":3"), "/web", false);
        check(Some(":3"), "/web:33", false);
        check(Some(""), "/web", true);
    }
}
