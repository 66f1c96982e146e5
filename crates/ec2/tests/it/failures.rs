//! What is concluded from each way in which a request can fail, rehearsed and executed.

use amiwarden_core::{Call, CallError, CallErrorKind, CloudReader, CloudWriter};

use crate::server::{REQUEST_ID, Reply, Server, body};
use crate::setup::{connection_awaiting, image_id, reader, scope, writer};

async fn execute(reply: Reply) -> Result<(), CallError> {
    let server = Server::scripted([reply.clone()]).await;
    let writer = connection_awaiting(&server, &reply).await.writer(&scope());
    writer.execute(&image_id(), &Call::DisableImage).await.map(|_| ())
}

async fn rehearse(reply: Reply) -> Result<(), CallError> {
    let server = Server::scripted([reply.clone()]).await;
    let writer = connection_awaiting(&server, &reply).await.writer(&scope());
    writer.rehearse(&image_id(), &Call::DisableImage).await
}

fn kind(result: &Result<(), CallError>) -> Option<CallErrorKind> {
    result.as_ref().err().map(|error| error.kind)
}

/// The kinds by which a rehearsal and an execution fail; `None` where they succeed.
async fn check(reply: Reply, rehearsed: Option<CallErrorKind>, executed: Option<CallErrorKind>) {
    assert_eq!(kind(&rehearse(reply.clone()).await), rehearsed, "rehearsal: {reply:?}");
    assert_eq!(kind(&execute(reply.clone()).await), executed, "execution: {reply:?}");
}

/// Both fail by the same kind.
async fn check_both(reply: Reply, expected: CallErrorKind) {
    check(reply, Some(expected), Some(expected)).await;
}

#[tokio::test]
async fn codes_are_told_apart() {
    use CallErrorKind::{Denied, Gone, NoReply, Refused, Throttled};
    for (status, code, expected) in [
        (503, "RequestLimitExceeded", Throttled),
        (400, "RequestLimitExceeded", Throttled),
        (400, "Throttling", Throttled),
        (429, "ThrottlingException", Throttled),
        (503, "EC2ThrottledException", Throttled),
        (403, "UnauthorizedOperation", Denied),
        (401, "AuthFailure", Denied),
        (400, "ExpiredToken", Denied),
        (401, "OptInRequired", Denied),
        (400, "InvalidAMIID.NotFound", Gone),
        (400, "InvalidAMIID.Unavailable", Refused),
        (400, "InvalidAMIID.Malformed", Refused),
        (400, "OperationNotPermitted", Refused),
        (400, "IncorrectState", Refused),
        (400, "SomethingNew", Refused),
        (400, "Unavailable", NoReply),
        (503, "Unavailable", NoReply),
        (500, "InternalError", NoReply),
        (502, "SomethingNew", NoReply),
        (504, "SomethingNew", NoReply),
        (302, "SomethingNew", NoReply),
        (500, "UnauthorizedOperation", NoReply),
    ] {
        check_both(Reply::error(status, code, "words"), expected).await;
    }
}

#[tokio::test]
async fn only_dry_run_operation_permits() {
    let permitted =
        Reply::error(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.");
    check(permitted, None, Some(CallErrorKind::Refused)).await;
    // Another code with the same status, and the same code with another.
    check_both(Reply::error(412, "PreconditionFailed", "words"), CallErrorKind::Refused).await;
    check(Reply::error(400, "DryRunOperation", "words"), None, Some(CallErrorKind::Refused)).await;
}

#[tokio::test]
async fn a_success_to_a_rehearsal_means_that_it_was_executed() {
    use CallErrorKind::{ExecutedDryRun, NoReply, Refused};
    let returned = |value: &str| Reply::ok("DisableImage", &format!("<return>{value}</return>"));
    check(returned("true"), Some(ExecutedDryRun), None).await;
    check(returned("false"), Some(ExecutedDryRun), Some(Refused)).await;
    check(Reply::ok("DisableImage", ""), Some(ExecutedDryRun), Some(NoReply)).await;
    // Status 200, and then something that cannot be read, or not to its end.
    check(Reply::Whole(200, "<html>welcome</html>".to_owned()), Some(ExecutedDryRun), Some(NoReply)).await;
    check(Reply::Whole(200, String::new()), Some(ExecutedDryRun), Some(NoReply)).await;
    let cut = body("DisableImage", "<return>true</return>").replace("</DisableImageResponse>", "");
    check(Reply::Unmeasured(200, cut.clone()), Some(ExecutedDryRun), Some(NoReply)).await;
    check(Reply::Short(200, cut), Some(ExecutedDryRun), Some(NoReply)).await;
}

#[tokio::test]
async fn without_a_readable_reply_nothing_is_known() {
    check_both(Reply::Drop, CallErrorKind::NoReply).await;
    check_both(Reply::Hang, CallErrorKind::NoReply).await;
    check_both(Reply::Short(503, "<Response>".to_owned()), CallErrorKind::NoReply).await;
    check_both(Reply::Whole(403, "<html>a proxy says no</html>".to_owned()), CallErrorKind::NoReply).await;
    check_both(Reply::Whole(500, String::new()), CallErrorKind::NoReply).await;
    check_both(Reply::Whole(429, String::new()), CallErrorKind::Throttled).await;
}

#[tokio::test]
async fn what_is_executed_in_a_rehearsal_counts_as_happened() {
    let error = rehearse(Reply::ok("DisableImage", "<return>true</return>")).await.unwrap_err();
    assert!(error.kind.may_have_happened());
    assert!(error.message.contains("does not honour DryRun"), "{error}");
    assert_eq!(error.request_id.as_deref(), Some(REQUEST_ID));
}

#[tokio::test]
async fn a_failure_has_ec2s_words_and_request_id() {
    let error = execute(Reply::error(400, "OperationNotPermitted", "Image is protected.")).await.unwrap_err();
    assert_eq!(error.operation, "DisableImage");
    assert_eq!(error.message, "OperationNotPermitted: Image is protected.");
    assert_eq!(error.request_id.as_deref(), Some(REQUEST_ID));
    assert_eq!(error.to_string(), "DisableImage: OperationNotPermitted: Image is protected.");
}

#[tokio::test]
async fn a_lost_reply_is_described_on_one_line() {
    for reply in [Reply::Drop, Reply::Hang, Reply::Whole(200, "<html>".to_owned())] {
        let error = execute(reply.clone()).await.unwrap_err();
        assert!(!error.message.contains('\n'), "{error}");
        assert!(error.message.len() > "service error".len(), "{reply:?}: {error}");
    }
    let error = execute(Reply::Hang).await.unwrap_err();
    assert!(error.message.contains("time"), "{error}");
}

#[tokio::test]
async fn a_refused_connection_certainly_changed_nothing() {
    let server = Server::scripted([]).await;
    let writer = writer(&server).await;
    server.close().await;
    let error = writer.execute(&image_id(), &Call::DisableImage).await.unwrap_err();
    assert_eq!(error.kind, CallErrorKind::Refused, "{error}");
    assert!(error.message.contains("refused"), "{error}");
}

#[tokio::test]
async fn the_canary_tells_an_endpoint_that_executes_rehearsals() {
    async fn canary(reply: Reply) -> Result<(), CallError> {
        // Reading requests are sent again, so the reply stays the same.
        let server = Server::answering(move |_| reply.clone()).await;
        let result = reader(&server).await.check_dry_run().await;
        let request = &server.requests()[0];
        assert_eq!(request.action, "DescribeImages");
        assert_eq!(request.form["DryRun"], "true");
        assert_eq!(request.form["Owner.1"], "self");
        result
    }
    assert_eq!(canary(Reply::error(412, "DryRunOperation", "words")).await, Ok(()));
    let denied = canary(Reply::error(403, "UnauthorizedOperation", "words")).await;
    assert_eq!(kind(&denied), Some(CallErrorKind::Denied));
    for reply in [
        Reply::ok("DescribeImages", "<imagesSet/>"),
        Reply::Whole(200, "<html/>".to_owned()),
        Reply::Short(200, "<Desc".to_owned()),
    ] {
        let executed = canary(reply.clone()).await;
        assert_eq!(kind(&executed), Some(CallErrorKind::ExecutedDryRun), "{reply:?}");
        assert!(executed.unwrap_err().message.contains("does not honour DryRun"));
    }
    assert_eq!(kind(&canary(Reply::Drop).await), Some(CallErrorKind::NoReply));
}

#[tokio::test]
async fn one_image_is_there_or_not_or_in_doubt() {
    async fn ask(reply: Reply) -> Result<bool, CallErrorKind> {
        let server = Server::answering(move |_| reply.clone()).await;
        let answer = reader(&server).await.image(&image_id()).await;
        let form = server.requests()[0].form.clone();
        assert_eq!(form["ImageId.1"], image_id().as_str());
        assert_eq!(form["IncludeDisabled"], "true");
        answer.map(|image| image.is_some()).map_err(|error| error.kind)
    }
    let images = |items: &str| Reply::ok("DescribeImages", &format!("<imagesSet>{items}</imagesSet>"));
    let item = |id: &str, owner: &str| {
        format!("<item><imageId>{id}</imageId><imageOwnerId>{owner}</imageOwnerId></item>")
    };
    let mine = item(image_id().as_str(), scope().account.as_str());
    assert_eq!(ask(images(&mine)).await, Ok(true));
    assert_eq!(ask(images("")).await, Ok(false));
    assert_eq!(ask(Reply::error(400, "InvalidAMIID.NotFound", "gone")).await, Ok(false));
    assert_eq!(ask(Reply::error(400, "InvalidAMIID.Unavailable", "gone")).await, Ok(false));
    assert_eq!(ask(Reply::error(400, "InvalidAMIID.Malformed", "no")).await, Err(CallErrorKind::Refused));
    assert_eq!(ask(Reply::error(503, "Unavailable", "busy")).await, Err(CallErrorKind::NoReply));
    let theirs = item(image_id().as_str(), "999988887777");
    assert_eq!(ask(images(&theirs)).await, Err(CallErrorKind::Refused));
    let another = item("ami-0ffffffffffffffff", scope().account.as_str());
    assert_eq!(ask(images(&another)).await, Err(CallErrorKind::NoReply));
    assert_eq!(ask(images(&format!("{mine}{another}"))).await, Err(CallErrorKind::NoReply));
    assert_eq!(ask(images("<item/>")).await, Err(CallErrorKind::NoReply));
    assert_eq!(ask(Reply::ok("DescribeImages", "")).await, Err(CallErrorKind::NoReply));
}
