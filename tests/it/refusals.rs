//! Images that EC2 does not let go: a clear recorded failure, and the rest goes on.

use crate::harness::{Account, having};

/// Guards would hold these; EC2's own refusal is met when an image turns out so only when it is acted on.
#[test]
fn a_marketplace_image_cannot_be_made_public_and_the_rest_goes_on() {
    let account = Account::start(
        r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
            {"name": "market-1", "created": "-100d", "product_codes": ["abcdefghijklmnopqrstuvwxy"], "tags": {"Env": "x"}},
            {"name": "plain-1", "created": "-90d"}]}"#,
    );
    let place = account.place();
    place.write("amiwarden.toml", "[policies]\ndir = \"policies\"\n");
    place.write(
        "policies/share.rhai",
        "rule \"all\" when true { share(#{accounts: [\"222233334444\"]}, \"partner\") }\n",
    );
    let refused = account.cloud().image_named("market-1").unwrap().id;
    let fault = amiwarden_sandbox::Fault::new("ModifyImageAttribute", amiwarden_sandbox::FaultKind::Denied);
    account.cloud().inject(fault.real_only().image(&refused));
    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(1).json();
    assert_eq!(having(&report["steps"], &[("name", "market-1"), ("outcome", "failed")]).len(), 1, "{report}");
    assert_eq!(having(&report["steps"], &[("name", "plain-1"), ("outcome", "done")]).len(), 1);
}

#[test]
fn protected_and_backup_managed_images_are_held_with_their_reason() {
    let account = Account::start(
        r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
            {"name": "safe-1", "created": "-100d", "state": "disabled", "protection": "enabled-without-cooldown"},
            {"name": "AwsBackup_i-1", "created": "-100d", "backup_managed": true},
            {"name": "plain-1", "created": "-90d"}]}"#,
    );
    let place = account.place();
    place.write(
        "amiwarden.toml",
        "[policies]\ndir = \"policies\"\n[limits]\nderegister_per_cycle = 5\nshare_percent = 100\n\
         surge_percent = 100\nkeep_newest = 0\nmin_hold = \"0d\"\npermanent = \"allow\"\n",
    );
    place.write(
        "policies/retire.rhai",
        "rule \"gone\" when image.is_disabled { deregister(\"held\") }\nrule \"old\" when true { disable(\"old\") }\n",
    );
    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(having(&report["held"], &[("name", "safe-1"), ("guard", "protected")]).len(), 1, "{report}");
    assert_eq!(having(&report["held"], &[("name", "AwsBackup_i-1"), ("guard", "backup-managed")]).len(), 1);
    assert_eq!(having(&report["steps"], &[("name", "plain-1"), ("outcome", "done")]).len(), 1);
}
