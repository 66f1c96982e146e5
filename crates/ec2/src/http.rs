//! The HTTP client below the SDK: the one place that every attempt of every request passes, retries included.
//!
//! Here a request waits for its token, and only then its time begins to run: the SDK's own limits for an attempt and
//! for an operation start when a request is made ready, so a long queue would look like a dead endpoint to them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use amiwarden_core::{AccountId, Pace};
use aws_sdk_ec2::config::http::{HttpRequest, HttpResponse};
use aws_sdk_ec2::config::{ConfigBag, RuntimeComponents, SharedHttpClient};
use aws_sdk_ec2::error::{BoxError, ConnectorError};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_types::body::SdkBody;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use crate::pacing::{Gate, Pacer};

/// With these EC2 refuses a request for which it is too busy; the second is other services' word for it (EC2
/// Developer Guide, "Error codes for the Amazon EC2 API").
const BUSY: [u16; 2] = [503, 429];

/// Which proxies are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxies {
    /// Those that `HTTP_PROXY` and its kin name, as the SDK's own client does.
    OfEnvironment,
    /// None: the variables would apply even to an endpoint on this machine.
    None,
}

/// The HTTP clients of one connection: one for each account, over the same open connections, because AWS counts the
/// requests of each account for themselves. They outlive a run, and so does what their buckets hold.
#[derive(Debug)]
pub(crate) struct Clients {
    unpaced: SharedHttpClient,
    pace: Option<Pace>,
    attempt: Duration,
    by_account: Mutex<BTreeMap<AccountId, SharedHttpClient>>,
}

impl Clients {
    /// `pace` is what paces each account, if anything; `attempt` is how long one attempt may take from when it is sent
    /// to the end of its reply.
    pub(crate) fn new(proxies: Proxies, pace: Option<Pace>, attempt: Duration) -> Self {
        Self { unpaced: unpaced(proxies), pace, attempt, by_account: Mutex::default() }
    }

    /// For the first question, whose account this is.
    pub(crate) fn of_nobody(&self) -> SharedHttpClient {
        self.client(None)
    }

    /// For everything that is asked of `account`, or with its credentials.
    pub(crate) fn of(&self, account: &AccountId) -> SharedHttpClient {
        // A panic while the lock was held leaves nothing half-done here.
        let mut clients = self.by_account.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || self.client(self.pace.clone().map(Pacer::new));
        clients.entry(account.clone()).or_insert_with(new).clone()
    }

    fn client(&self, pacer: Option<Pacer>) -> SharedHttpClient {
        SharedHttpClient::new(PacedClient { inner: self.unpaced.clone(), pacer, attempt: self.attempt })
    }
}

fn unpaced(proxies: Proxies) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(match proxies {
            Proxies::OfEnvironment => ProxyConfig::from_env(),
            Proxies::None => ProxyConfig::disabled(),
        });
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build()
    })
}

/// How long the request of a reply waited for its token. Requests without a reply leave none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waited(pub(crate) Duration);

#[derive(Debug)]
struct PacedClient {
    inner: SharedHttpClient,
    pacer: Option<Pacer>,
    attempt: Duration,
}

impl HttpClient for PacedClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(PacedConnector { inner, pacer: self.pacer.clone(), attempt: self.attempt })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_base_client_config(&self.inner, components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        HttpClient::validate_final_config(&self.inner, components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

#[derive(Debug)]
struct PacedConnector {
    inner: SharedHttpConnector,
    pacer: Option<Pacer>,
    attempt: Duration,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let gate = self.pacer.as_ref().and_then(|pacer| pacer.gate(&request));
        let (inner, attempt) = (self.inner.clone(), self.attempt);
        HttpConnectorFuture::new(async move {
            let asked_at = Instant::now();
            if let Some(gate) = &gate {
                gate.pass().await;
            }
            let waited = asked_at.elapsed();
            let mut reply = send(&inner, request, gate.as_deref(), attempt).await?;
            reply.add_extension(Waited(waited));
            Ok(reply)
        })
    }
}

async fn send(
    inner: &SharedHttpConnector,
    request: HttpRequest,
    gate: Option<&Gate>,
    attempt: Duration,
) -> Result<HttpResponse, ConnectorError> {
    let deadline = Instant::now() + attempt;
    let late = TooLate { attempt };
    let mut reply = tokio::time::timeout_at(deadline, inner.call(request))
        .await
        .map_err(|_| ConnectorError::timeout(late.into()))??;
    if BUSY.contains(&reply.status().as_u16())
        && let Some(gate) = gate
    {
        gate.drain();
    }
    let body = std::mem::replace(reply.body_mut(), SdkBody::taken());
    let body = Timed { inner: Box::pin(body), deadline: Box::pin(tokio::time::sleep_until(deadline)), late };
    *reply.body_mut() = SdkBody::from_body_1_x(body);
    Ok(reply)
}

/// The reply did not come to its end in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no whole reply within the time of {attempt:?}")]
struct TooLate {
    attempt: Duration,
}

/// The body of a reply that has to come to its end before the deadline.
struct Timed {
    inner: Pin<Box<SdkBody>>,
    deadline: Pin<Box<Sleep>>,
    late: TooLate,
}

impl Body for Timed {
    type Data = <SdkBody as Body>::Data;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, BoxError>>> {
        if let Poll::Ready(frame) = Body::poll_frame(self.inner.as_mut(), context) {
            return Poll::Ready(frame);
        }
        let late = self.late;
        self.deadline.as_mut().poll(context).map(|()| Some(Err(late.into())))
    }
}
