//! The EC2 adapter of amiwarden: the only crate that names the AWS SDK.
