//! The running endpoint: listener, connections, and what happens around each request.

mod buckets;
mod cloud;
mod connection;
mod control;
mod exchange;
mod faults;
mod late;
mod observer;
mod requests;
mod socket;
mod state_file;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::fleet::{Fleet, FleetError};

pub use buckets::{Bucket, BucketSizes};
pub use cloud::Cloud;
pub use faults::{Fault, FaultKind, Nth};
pub use observer::{ExchangeEvent, ExchangeObserver, ExchangePoint, Verdict};
pub use requests::RequestRecord;
pub use state_file::LoadStateError;

/// What a sandbox is started with.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// What the world holds at first, which actions are denied, and which faults are armed.
    pub fleet: Fleet,
    /// Where to listen. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The moment that relative dates refer to, and from which the sandbox's clock runs.
    pub now: Timestamp,
    /// Where the world is kept between processes. If the file exists, the world is read from it and
    /// the fleet's images, instances and templates are not used.
    pub state_file: Option<PathBuf>,
    /// Sizes of the token buckets; nothing means that no request is throttled.
    pub buckets: Option<BucketSizes>,
    /// No page holds more items than this, whatever `MaxResults` says.
    pub page_size_max: usize,
    /// How many of the newest requests are remembered.
    pub requests_max: usize,
}

impl SandboxOptions {
    /// A sandbox on a free loopback port, without throttling and without a state file.
    pub fn new(fleet: Fleet, now: Timestamp) -> Self {
        Self {
            fleet,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            now,
            state_file: None,
            buckets: None,
            page_size_max: 1000,
            requests_max: 100_000,
        }
    }
}

/// A sandbox could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartSandboxError {
    /// The fleet contradicts itself.
    #[error("the fleet cannot be used")]
    Fleet(#[from] FleetError),
    /// The state file cannot be used.
    #[error("the sandbox's state in {} cannot be used", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: LoadStateError,
    },
    /// The state file cannot be written.
    #[error("the sandbox's state cannot be kept in {}", path.display())]
    KeepState {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// A running endpoint. Dropping it ends it without waiting; [`Self::stop`] finishes what is in flight.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    cloud: Cloud,
    stop: CancellationToken,
    tasks: TaskTracker,
    _stop_on_drop: DropGuard,
}

impl Sandbox {
    /// Seeds the world and starts to listen.
    pub async fn start(options: SandboxOptions) -> Result<Self, StartSandboxError> {
        let listen = options.listen;
        let cloud = Cloud::open(options)?;
        let refused = |source| StartSandboxError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let background = late::Background { stop: stop.clone(), tasks: tasks.clone() };
        tasks.spawn(connection::accept(listener, cloud.clone(), background));
        tasks.close();
        tracing::debug!(%address, "sandbox is listening");
        Ok(Self { address, cloud, _stop_on_drop: stop.clone().drop_guard(), stop, tasks })
    }

    /// The address that the endpoint listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL to point an AWS client at, for every service alike.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A handle by which to look at the world and to program it; it may be cloned and outlive this.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Accepts nothing new, finishes the requests in flight, and ends. Changes that were still to be applied
    /// late are lost.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}
