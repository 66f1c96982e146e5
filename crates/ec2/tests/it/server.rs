//! An HTTP server that answers from a script and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::setup::caller_identity;

/// The request id that goes with every reply.
pub(crate) const REQUEST_ID: &str = "req-0123";

/// One request as it came over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) action: String,
    /// The form, decoded, without `Action` and `Version`.
    pub(crate) form: BTreeMap<String, String>,
    /// The body where it is no form, or the path where there is none: the services that speak JSON.
    pub(crate) text: String,
    /// Header names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

/// What the server does about a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This status and body, whole.
    Whole(u16, String),
    /// The same with this `Date`.
    Dated(String, String),
    /// The first part of a body whose announced length is greater; then the connection closes.
    Short(u16, String),
    /// The first part of a body without a length: its end is where the connection closes.
    Unmeasured(u16, String),
    /// The first part of a body whose announced length is greater; then nothing happens any more.
    Stall(u16, String),
    /// The connection closes without a byte.
    Drop,
    /// Nothing happens any more.
    Hang,
}

impl Reply {
    /// A successful reply to `action`, with its root element around `content`.
    pub(crate) fn ok(action: &str, content: &str) -> Self {
        Self::Whole(200, body(action, content))
    }

    /// A successful reply in JSON.
    pub(crate) fn json(content: &str) -> Self {
        Self::Whole(200, content.to_owned())
    }

    /// Systems Manager's and the Recycle Bin's form of an error.
    pub(crate) fn json_error(status: u16, code: &str, message: &str) -> Self {
        Self::Whole(status, format!(r#"{{"__type":"com.amazonaws#{code}","message":"{message}"}}"#))
    }

    /// EC2's form of an error.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>{REQUEST_ID}</RequestID></Response>"
        );
        Self::Whole(status, body)
    }

    /// Auto Scaling's form of an error.
    pub(crate) fn auto_scaling_error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        );
        Self::Whole(status, body)
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        let (status, body, length) = match self {
            Self::Whole(status, body) => (status, body, Some(body.len())),
            Self::Dated(_, body) => (&200, body, Some(body.len())),
            Self::Short(status, body) | Self::Stall(status, body) => (status, body, Some(body.len() + 100)),
            Self::Unmeasured(status, body) => (status, body, None),
            Self::Drop | Self::Hang => return None,
        };
        let length = length.map_or_else(
            || "connection: close\r\n".to_owned(),
            |length| format!("content-length: {length}\r\n"),
        );
        let date = if let Self::Dated(date, _) = self { format!("date: {date}\r\n") } else { String::new() };
        let head = format!(
            "HTTP/1.1 {status} Canned\r\ncontent-type: text/xml\r\nx-amzn-requestid: {REQUEST_ID}\r\n\
             {date}{length}\r\n"
        );
        Some([head.as_bytes(), body.as_bytes()].concat())
    }
}

/// The body of a successful reply: that of Auto Scaling, whose request id comes last, where the content has its form.
pub(crate) fn body(action: &str, content: &str) -> String {
    let (before, after) = if content.starts_with(&format!("<{action}Result>")) {
        (String::new(), format!("<ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>"))
    } else {
        (format!("<requestId>{REQUEST_ID}</requestId>"), String::new())
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         {before}{content}{after}</{action}Response>"
    )
}

/// The first question of every connection.
const STS_ACTION: &str = "GetCallerIdentity";

type Answer = dyn FnMut(&Request) -> Reply + Send;

/// A server on a loopback port. It ends with the runtime of its test.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Answers each request of EC2 by `answer`, and says whose credentials these are.
    pub(crate) async fn answering(mut answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::start(
            move |request| {
                if request.action == STS_ACTION { caller_identity() } else { answer(request) }
            },
        )
        .await
    }

    /// Answers the question whose credentials these are by `reply`, and nothing else.
    pub(crate) async fn with_sts(reply: Reply) -> Self {
        Self::start(move |_| reply.clone()).await
    }

    async fn start(answer: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(answer));
        let seen = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            // Ends with this task, and the open connections with it.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&answer), Arc::clone(&seen)));
            }
        });
        Self { url, requests, accepting }
    }

    /// Answers one request after another from `replies`; a request beyond them is refused as unexpected.
    pub(crate) async fn scripted(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: VecDeque<_> = replies.into_iter().collect();
        let unexpected = || Reply::error(400, "Unexpected", "the script has ended");
        Self::answering(move |_| replies.pop_front().unwrap_or_else(unexpected)).await
    }

    /// Answers each request by the next of the replies to its operation, in whatever order operations are asked for;
    /// one beyond them is refused as unexpected.
    pub(crate) async fn by_action(replies: impl IntoIterator<Item = (&'static str, Reply)>) -> Self {
        let mut queues = BTreeMap::<_, VecDeque<_>>::new();
        for (action, reply) in replies {
            queues.entry(action).or_default().push_back(reply);
        }
        Self::answering(move |request| {
            let next = queues.get_mut(request.action.as_str()).and_then(VecDeque::pop_front);
            next.unwrap_or_else(|| Reply::error(400, "Unexpected", "the script has ended"))
        })
        .await
    }

    /// Stops listening and drops every connection: whoever comes from now on is refused.
    pub(crate) async fn close(&self) {
        self.accepting.abort();
        while !self.accepting.is_finished() {
            tokio::task::yield_now().await;
        }
        // Time for the client to notice that its idle connections have gone.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Every request so far, but those of STS.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Answer>>, seen: Arc<Mutex<Vec<Request>>>) {
    while let Some(request) = read_request(&mut stream).await {
        if request.action != STS_ACTION {
            seen.lock().unwrap().push(request.clone());
        }
        let reply = answer.lock().unwrap()(&request);
        let Some(bytes) = reply.bytes() else {
            if matches!(reply, Reply::Hang) {
                std::future::pending::<()>().await;
            }
            return;
        };
        if matches!(reply, Reply::Stall(..)) && stream.write_all(&bytes).await.is_ok() {
            std::future::pending::<()>().await;
        }
        if stream.write_all(&bytes).await.is_err() || !matches!(reply, Reply::Whole(..) | Reply::Dated(..)) {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let headers: BTreeMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    let read = body.len();
    body.resize(length, 0);
    stream.read_exact(&mut body[read..]).await.ok()?;
    let body = String::from_utf8(body).unwrap();
    // Systems Manager names the operation in a header, the Recycle Bin in the path.
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let target = headers.get("x-amz-target").and_then(|target| target.split('.').nth(1));
    let action = match (target, path) {
        (Some(target), _) => Some(target),
        (None, "/list-rules") => Some("ListRules"),
        (None, path) => path.starts_with("/rules/").then_some("GetRule"),
    };
    if let Some(action) = action {
        let text = if body.is_empty() { path.to_owned() } else { body };
        return Some(Request { action: action.to_owned(), form: BTreeMap::new(), text, headers });
    }
    let mut form: BTreeMap<String, String> = body
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    form.remove("Version");
    let action = form.remove("Action").unwrap_or_default();
    Some(Request { action, form, text: String::new(), headers })
}

fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(decoded).unwrap()
}
